"""The one place where a study is put together: plan -> preparation -> Ray's Tuner -> Optuna's study."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Thread

import optuna
from optuna.trial import TrialState
from ray.tune import Callback, CheckpointConfig, RunConfig, Trainable, TuneConfig, Tuner, with_resources
from ray.tune.experiment import Trial as RayTrial
from ray.tune.schedulers import TrialScheduler

from study import events
from study.console import Console, next_commands
from study.ending import end_of_study, missed_ends, pages_of, status_of
from study.folder import LOCK_SECONDS, check_writable, trial_key
from study.interruption import Interruption, clean_stop
from study.limiter import Limiter
from study.nodes.capacity import Capacity, alive_nodes, check_fits
from study.nodes.cluster import check_address, cluster
from study.nodes.placement import Packing, placement_groups
from study.nodes.preflight import NodeCheck, check_nodes, lines, require_all, servers
from study.nodes.sharing import shared_gpus
from study.notes import note
from study.optuna_storage import create_study, find_study, is_database, num_inherited
from study.outside import staged
from study.plan import StudyPlan, study_json
from study.progress import Progress
from study.registration import register, registered
from study.revival import bring_checkpoints, revive, revived
from study.runs import Runs
from study.schedulers import make_scheduler
from study.searcher import OptunaSearcher
from study.sentences import first_line, names_of
from study.snapshots import snapshots_without_trials
from study.spending import Spending
from study.spool import Spool
from study.tracking import Tracker
from study.trial_specs import first_configs, first_trials, in_rounds, make_spec, mutations
from study.trials import number_of
from study.verdicts import CLAIMS_FILE, judge_all, write_claims
from trainables.credentials import without_credentials
from trainables.errors import InputError
from trainables.preparation import Preparations, check_method, prepare_protocol
from trainables.protocol import base_name
from trainables.trial import Trial
from trainables.trial_spec import TrialSpec

DELIVERY_SECONDS = 60.0
"""How long the end of a study waits for a tracking server that takes nothing."""
INTERRUPTED_DELIVERY_SECONDS = 10.0
"""How long the end of a study that was stopped waits for the tracking server in all."""
MANY_EVENTS = 100
"""From here on their delivery takes a while, and the screen says so."""
REFUSALS_SHOWN = 5
STOPPING = "Stopping: trials have 10 seconds to reach their next evaluation. A second signal ends the study at once."


def run_study(plan: StudyPlan, console: Console, trainable: type[Trainable] = Trial) -> int:
    """Prepare a study, run it to its end or to a signal, and print its results; returns the exit status.

    `trainable` takes the config {"spec": a `TrialSpec` as JSON}. Raises `InputError` before anything is started or
    overwritten.
    """
    with ExitStack() as stack:
        check_address(plan.address)
        check_storage(plan)
        if plan.is_resumed:
            stack.enter_context(_only_driver(plan, console))
        runs = Runs(plan.tracking_uri, plan.space.name, plan.name, plan.artifacts)
        preparations = prepare(plan, console)
        plan = in_rounds(plan)
        stack.enter_context(_cluster(plan, console))
        if plan.address is not None:
            require_all(_check_nodes(plan, preparations))
        if not plan.is_resumed:
            stack.enter_context(_only_driver(plan, console))
        study = open_study(plan)
        console.print_preparation(plan, preparations)
        tags = events.study_tags(plan, preparations)
        spool = Spool(plan.folder.spool, runs.deliver)
        spool.put(events.study_started(plan, preparations, tags, num_inherited(study)))
        spending = Spending(study, plan.resources)
        for event in missed_ends(plan, study, spending, runs.unfinished):
            spool.put(event)
        limiter = Limiter(plan.limits, study, spending, plan.rounds, plan.resources.gpus)
        interruption = Interruption()
        try:
            interruption = _tune(plan, preparations, study, spool, tags, console, trainable, spending, limiter)
            spending.close()
            judged = judge_all(plan, study, preparations)
            console.print_results(plan, preparations, study)
            console.print_claims(plan, judged)
            text = note(console.tables, [*next_commands(plan).values()])
            for event in end_of_study(plan, study, spending, interruption, text):
                spool.put(event)
            if judged:
                write_claims(plan.folder.path / CLAIMS_FILE, judged, registered(plan.folder.path))
                spool.put(events.claims_judged(judged, plan.folder.path / CLAIMS_FILE))
        finally:
            if (left := spool.left()) > MANY_EVENTS:
                console.print(f"{left} events are still to be delivered to MLflow ...")
            in_all = INTERRUPTED_DELIVERY_SECONDS if interruption.received else math.inf
            undelivered = spool.close(DELIVERY_SECONDS, in_all)
    if not (plan.config.no_report or interruption.received or undelivered):
        _report(plan, console)
    limited = limiter.reason if limiter.has_limited and not interruption.received else None
    console.print_next_steps(plan, interruption, limited, pages_of(plan, study, runs))
    for reason in list(dict.fromkeys(runs.refused))[:REFUSALS_SHOWN]:
        console.warn(f"the tracking server refused a part of the study: {reason}")
    if len(runs.refused) > REFUSALS_SHOWN:
        console.warn(f"the tracking server refused {len(runs.refused)} parts of the study in all.")
    if spool.dropped:
        console.warn(f"{spool.dropped} events were dropped: the tracking server was away for too long.")
    if undelivered:
        console.warn(
            f"{undelivered} events did not reach {without_credentials(plan.tracking_uri)}; they are kept in "
            f"{plan.folder.spool} and delivered when the study is resumed."
        )
    return interruption.exit_status or int(status_of(study, interruption) == "FAILED" or bool(runs.refused))


def _report(plan: StudyPlan, console: Console) -> None:
    """Write the report of the study. One that cannot be made takes nothing from the study."""
    from study.reporting.keep import report_of  # imported late: matplotlib and Optuna's plots take a second

    try:
        with console.status("writing the report"):
            console.print(f"report: {report_of(plan.name, plan.tracking_uri, plan.folder)}")
    except Exception as error:  # of a server, a disk, or of what was measured
        console.warn(f"the report could not be written ({first_line(error)}): try python -m study.report {plan.name}")


def check_cluster(plan: StudyPlan, console: Console) -> int:
    """`--check`: print a line for each node; returns 0. Raises `InputError` where a node is not in order."""
    check_address(plan.address)
    check_storage(plan)
    preparations = prepare(plan, console)
    with _cluster(plan, console):
        checks = _check_nodes(plan, preparations)
    for line in lines(checks, plan.resources):
        console.print(line)
    require_all(checks)
    return 0


def check_storage(plan: StudyPlan) -> None:
    """Raise `InputError` where a new study would overwrite another, or where it could not be written."""
    if plan.folder.path.exists() and plan.config.resume is None:
        raise InputError(
            f"study {plan.name!r} exists already in {plan.folder.path}: "
            f"go on with it by --resume {plan.name}, or choose another --name."
        )
    check_writable(plan.storage)
    if is_database(plan.optuna_storage):
        find_study(plan.optuna_storage, plan.name, must_exist=plan.is_resumed)


def prepare(plan: StudyPlan, console: Console) -> Preparations:
    """Put everything that trials read into the cache; raises `InputError` where something cannot be had."""
    with console.status(f"preparing {names_of(plan.datasets, 'data sets')}"):
        for dataset, method, config in first_configs(plan):
            check_method(method, config, dataset, plan.cache_dir)
        prepared = {
            name: prepare_protocol(protocol, plan.cache_dir, asked_for_gpu=plan.resources.gpus > 0)
            for name, protocol in plan.protocols.items()
        }
    for preparation in prepared.values():
        for objective in plan.objectives:
            if base_name(objective) not in preparation.protocol.metrics():
                reason = f" ({'; '.join(preparation.notes)})" if preparation.notes else ""
                raise InputError(f"objective {objective!r} cannot be measured here{reason}: choose another one.")
    return prepared


def open_study(plan: StudyPlan) -> optuna.Study:
    """Optuna's study, made if the study is new; `study.json`, written last, marks the study as set up."""
    storage, is_there = find_study(plan.optuna_storage, plan.name, must_exist=plan.is_resumed)
    if plan.is_resumed:
        study = optuna.load_study(study_name=plan.name, storage=storage)
        revive(study, plan.config.revive or 0)
    else:
        if is_there:  # an earlier driver may not have got as far as enqueuing all first trials
            optuna.delete_study(study_name=plan.name, storage=storage)
        study = create_study(plan.name, storage, plan.directions, first_trials(plan), plan.earlier.trials)
        if plan.outside is not None:
            plan.outside.copy_to(plan.folder.outside)
        register(plan.folder.path, plan.claims, plan.space, plan.seeds, events.git_commit())
    plan.folder.write(study_json(plan))
    return study


def _only_driver(plan: StudyPlan, console: Console) -> AbstractContextManager[None]:
    return plan.folder.only_driver(LOCK_SECONDS if plan.address else 0.0, console.status)


@contextmanager
def _cluster(plan: StudyPlan, console: Console) -> Iterator[None]:
    """The study's cluster; raises `InputError` where none of its nodes fits a trial."""
    with ExitStack() as stack:
        if plan.resources.share_a_gpu:
            is_here = plan.address is None
            console.print(stack.enter_context(shared_gpus()) if is_here else "Trials share GPUs as the nodes let them.")
        stack.enter_context(cluster(plan.address))
        if not plan.config.cluster_grows:
            check_fits(plan.resources, alive_nodes())
        yield


def _check_nodes(plan: StudyPlan, preparations: Preparations) -> list[NodeCheck]:
    protocols = [preparation.protocol.model_dump_json() for preparation in preparations.values()]
    reached = servers({"--tracking-uri": plan.config.tracking_uri, "--optuna-storage": plan.config.optuna_storage})
    with staged(plan.outside, plan.storage) as modules:
        return check_nodes(
            plan.storage,
            plan.cache_dir,
            plan.space.method_names,
            protocols,
            reached,
            modules,
            use_gpus=plan.resources.gpus > 0,
        )


def _tune(
    plan: StudyPlan,
    preparations: Preparations,
    study: optuna.Study,
    spool: Spool,
    tags: dict[str, str],
    console: Console,
    trainable: type[Trainable],
    spending: Spending,
    limiter: Limiter,
) -> Interruption:
    protocols = {name: preparation.protocol for name, preparation in preparations.items()}
    population = plan.trials if plan.scheduler == "pbt" else None
    if population is None and plan.config.cluster_grows:
        population = min(plan.max_concurrent or plan.trials, plan.trials)

    def make(trial: optuna.Trial) -> TrialSpec:
        spec = make_spec(plan, trial, protocols)
        if spec.revived is not None:
            bring_checkpoints(plan.folder, spec.revived, spec.number)
        return spec

    searcher = OptunaSearcher(
        study,
        plan.objectives,
        make,
        plan.trials,
        plan.sampler,
        plan.seed,
        Capacity(plan.resources, plan.max_concurrent, population),
        Packing(plan.resources) if plan.placement == "pack" else None,
        limiter,
        plan.constraints,
    )
    limiter.before_end = searcher.close
    progress = Progress(console, plan, study, searcher.goes_on)
    callbacks: list[Callback] = [Tracker(spool, tags, searcher.goes_on, spending.of_trial, plan.constraints), progress]
    tuner = Tuner(
        with_resources(trainable, placement_groups(plan.resources)),
        tune_config=TuneConfig(
            search_alg=searcher,
            scheduler=_scheduler(plan, preparations, study),
            num_samples=-1,  # the searcher says when there are no more: a lost trial is handed out again
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=RunConfig(
            name="ray",
            storage_path=str(plan.folder.path),
            checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
            stop=limiter,
            callbacks=callbacks,
            verbose=0,
        ),
    )

    def stop() -> None:
        searcher.close()
        # Not here: the signal may have come while this thread was printing.
        Thread(target=console.print, args=(STOPPING,), daemon=True).start()

    with clean_stop(stop) as interruption, console.live(progress.view), snapshots_without_trials():
        tuner.fit()
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if running and not interruption.received and not limiter.has_limited:
        interruption.received = signal.SIGUSR1  # somebody sent it to Ray, which handles it and does not say so
    for trial in running:
        spool.put(events.trial_event(trial.number, status="KILLED"))
    return interruption


def _scheduler(plan: StudyPlan, preparations: Preparations, study: optuna.Study) -> TrialScheduler:
    """The scheduler of the study, which knows what trials reported to earlier drivers."""
    history = [(trial.number, trial.intermediate_values) for trial in study.get_trials(deepcopy=False)]
    return make_scheduler(
        plan.scheduler,
        plan.objectives,
        plan.directions[0],
        plan.rounds,
        plan.evaluate_every,
        history,
        mutations(plan.space) if plan.scheduler == "pbt" else {},
        plan.space.scale.evaluate_at,
        plan.space.scale.grace,
        revived(study),
        _needed(plan, preparations),
    )


def _needed(plan: StudyPlan, preparations: Preparations) -> float | None:
    """The objective after the least progress that the scale asks for, where noise and test images have a value."""
    share = plan.space.scale.least_progress
    if share == 0 or len(preparations) > 1:
        return None
    (preparation,) = preparations.values()
    base = base_name(plan.objectives[0])
    noise, goal = (preparation.references.get(f"{base}_{of}") for of in ("noise", "test_images"))
    return None if noise is None or goal is None else noise + share * (goal - noise)


def _trial_name(trial: RayTrial) -> str:
    return f"trial-{trial_key(number_of(trial))}"
