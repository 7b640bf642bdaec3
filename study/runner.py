"""The one place where a study is put together: plan -> preparation -> Ray's Tuner -> Optuna's study."""

from __future__ import annotations

import platform
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from ray.tune import Callback, CheckpointConfig, RunConfig, Trainable, TuneConfig, Tuner, with_resources
from ray.tune.experiment import Trial as RayTrial
from ray.tune.schedulers import TrialScheduler

from study.console import Console, Progress
from study.interruption import Interruption, clean_stop
from study.nodes.capacity import Capacity
from study.nodes.cluster import check_address, cluster
from study.nodes.placement import Packing, resources
from study.nodes.preflight import check_nodes, require_all
from study.opening import check_storage, only_driver, open_study, prepare
from study.optuna_storage import ranked
from study.plan import StudyPlan
from study.schedulers import make_scheduler
from study.searcher import OptunaSearcher
from study.sentences import without_credentials
from study.spool import Event, Spool
from study.tracking import PARENT, Runs, Tracker, end_of_trial, now_ms, trial_event
from study.trials import FAILURE, number_of, trial_key
from trainables.checkpoints import write_atomically
from trainables.export import BEST_FILE
from trainables.preparation import Preparations
from trainables.trial import Trial

PARETO_FRONT = "pareto_front"
"""The tag of trials of a study with several objectives: whether none is better in every one of them."""

DELIVERY_SECONDS = 60.0
"""How long the end of a study waits for the tracking server."""
INTERRUPTED_DELIVERY_SECONDS = 10.0

PACKAGES = ("ray", "optuna", "mlflow", "torch")


def run_study(plan: StudyPlan, console: Console, trainable: type[Trainable] = Trial) -> int:
    """Prepare a study, run it to its end or to a signal, and print what came of it; returns the exit status.

    `trainable` takes the config {"spec": a `TrialSpec` as JSON}. Raises `InputError` before anything is started or
    overwritten.
    """
    with ExitStack() as stack:
        check_address(plan)
        check_storage(plan)
        if plan.is_resumed:
            stack.enter_context(only_driver(plan, console))
        runs = Runs(plan.tracking_uri, plan.space.name, plan.name, plan.artifacts)
        preparations = prepare(plan, console)
        capacity = stack.enter_context(cluster(plan))
        if plan.config.address is not None:
            require_all(check_nodes(plan, preparations))
        if not plan.is_resumed:
            stack.enter_context(only_driver(plan, console))
        study = open_study(plan)
        console.print_preparation(plan, preparations)
        tags = _tags(plan, preparations)
        spool = Spool(plan.folder / "spool", runs.deliver)
        spool.put(_start_of_study(plan, preparations, tags))
        for event in _endings(plan, study, runs):
            spool.put(event)
        interruption = Interruption()
        try:
            interruption = _tune(plan, preparations, study, capacity, spool, tags, console, trainable)
            for event in _end_of_study(plan, study, interruption):
                spool.put(event)
        finally:
            seconds = INTERRUPTED_DELIVERY_SECONDS if interruption.received else DELIVERY_SECONDS
            undelivered = spool.close(seconds)
    console.print_results(plan, preparations, study)
    console.print_claims(plan.claims(), study)
    console.print_next_steps(plan, interruption)
    for reason in runs.refused:
        console.warn(f"the tracking server refused a part of the study: {reason}")
    if spool.dropped:
        console.warn(f"{spool.dropped} events were dropped: the tracking server was away for too long.")
    if undelivered:
        console.warn(
            f"{undelivered} events did not reach {without_credentials(plan.tracking_uri)}; they are kept in "
            f"{plan.folder / 'spool'} and delivered when the study is resumed."
        )
    return interruption.exit_status or int(_status(study, interruption) == "FAILED")


def _tune(
    plan: StudyPlan,
    preparations: Preparations,
    study: optuna.Study,
    capacity: Capacity,
    spool: Spool,
    tags: dict[str, str],
    console: Console,
    trainable: type[Trainable],
) -> Interruption:
    protocols = {name: preparation.protocol for name, preparation in preparations.items()}
    searcher = OptunaSearcher(
        study,
        plan.objectives,
        lambda trial: plan.trial_spec(trial, protocols),
        plan.num_trials,
        plan.sampler,
        plan.seed,
        capacity,
        Packing(plan) if plan.config.placement == "pack" else None,
    )
    progress = Progress(console, plan, study, searcher.will_restart)
    callbacks: list[Callback] = [Tracker(spool, tags, searcher.will_restart), progress]
    tuner = Tuner(
        with_resources(trainable, resources(plan)),
        tune_config=TuneConfig(
            search_alg=searcher,
            scheduler=_scheduler(plan, study),
            num_samples=-1,  # the searcher says when there are no more: a lost trial is handed out again
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=RunConfig(
            name="ray",
            storage_path=str(plan.folder),
            checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
            callbacks=callbacks,
            verbose=0,
        ),
    )
    with clean_stop(searcher.close) as interruption:
        tuner.fit()
    if study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)) and not interruption.received:
        interruption.received = signal.SIGUSR1  # sent to Ray directly: it handles this one, and says nothing of it
    if interruption.received:
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            spool.put(trial_event(trial.number, status="KILLED"))
    return interruption


def _scheduler(plan: StudyPlan, study: optuna.Study) -> TrialScheduler:
    """The scheduler of the study, which knows what trials reported to earlier drivers."""
    scale = plan.space.scale
    history = [(trial.number, trial.intermediate_values) for trial in study.get_trials(deepcopy=False)]
    return make_scheduler(
        plan.scheduler,
        plan.objectives,
        direction(plan.objectives[0]),
        scale.rounds,
        scale.evaluate_every,
        history,
        plan.mutations() if plan.scheduler == "pbt" else {},
    )


def _trial_name(trial: RayTrial) -> str:
    return f"trial-{trial_key(number_of(trial))}"


def _endings(plan: StudyPlan, study: optuna.Study, runs: Runs) -> Iterator[Event]:
    """Ends that an earlier driver told Optuna but not the tracker: it was killed in between."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)):
        if trial_key(trial.number) in runs.unfinished:
            end = end_of_trial(plan.trial_folder(trial.number), trial.user_attrs.get(FAILURE))
            yield trial_event(trial.number, **end)


def _end_of_study(plan: StudyPlan, study: optuna.Study, interruption: Interruption) -> Iterator[Event]:
    """The best trial's weights, which the study's folder gets too, the Pareto front, and the state of the study."""
    finished = ranked(study)
    exported = plan.folder / BEST_FILE
    if finished and (weights := plan.trial_folder(finished[0].number) / BEST_FILE).exists():
        write_atomically(exported, weights.read_bytes())
    if len(plan.objectives) > 1:
        front = {trial.number for trial in study.best_trials}
        for trial in finished:
            yield trial_event(trial.number, tags={PARETO_FRONT: trial.number in front})
    best = {"best_trial": trial_key(finished[0].number)} if finished else {}
    status = _status(study, interruption)
    yield {
        "trial": PARENT,
        "time_ms": now_ms(),
        "tags": best,
        "artifacts": {"best": str(exported)},
        "status": status,
    }


def _status(study: optuna.Study, interruption: Interruption) -> str:
    if interruption.received:
        return "KILLED"
    succeeded = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    return "FINISHED" if succeeded else "FAILED"


def _start_of_study(plan: StudyPlan, preparations: Preparations, tags: dict[str, str]) -> Event:
    description = plan.describe()
    trials = description.pop("trials")  # params cannot change, and a resumed study may be extended
    protocols: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    for name, preparation in preparations.items():
        of = f".{name}" if len(preparations) > 1 else ""
        protocols |= {f"protocol{of}.{key}": value for key, value in preparation.protocol.model_dump().items()}
        metrics |= {f"{anchor}{of}": value for anchor, value in preparation.anchors.items()}
        if preparation.classifier_accuracy is not None:
            metrics[f"classifier_test_accuracy{of}"] = preparation.classifier_accuracy
    return {
        "trial": PARENT,
        "time_ms": now_ms(),
        "params": {} if plan.is_resumed else description | protocols,
        "metrics": metrics,
        "tags": tags | {"trials": str(trials)},
        "artifacts": {"study": str(plan.folder / "study.json")},
        "status": "RUNNING",
    }


def _tags(plan: StudyPlan, preparations: Preparations) -> dict[str, str]:
    versions = {f"version.{package}": version(package) for package in PACKAGES}
    return versions | {
        "version.python": platform.python_version(),
        "space": plan.space.name,
        "scale": plan.space.scale_name,
        "dataset": ", ".join(preparations),
        "method": plan.space.method,
        "protocol": ", ".join(preparation.protocol.sha256 for preparation in preparations.values()),
        "git_commit": _git_commit(),
    }


def _git_commit() -> str:
    """The commit of the code that runs, "+changes" where files differ from it; "unknown" outside a checkout."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
