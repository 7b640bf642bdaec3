"""The one place where a study is put together: plan -> preparation -> Ray's Tuner -> Optuna's study."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import optuna
from ray.tune import CheckpointConfig, FailureConfig, RunConfig, TuneConfig, Tuner, with_resources
from ray.tune.experiment import Trial as RayTrial

from study.console import Console, Progress
from study.local_cluster import cluster
from study.plan import StudyPlan
from study.searcher import OptunaSearcher, create_study, open_storage
from study.spool import Spool
from study.tracking import PARENT, Runs, Tracker, now_ms, without_credentials
from trainables.errors import InputError
from trainables.preparation import Preparation, prepare_protocol
from trainables.trial import Trial

DELIVERY_SECONDS = 60.0
"""How long the end of a study waits for the tracking server."""

PACKAGES = ("ray", "optuna", "mlflow", "torch")


def run_study(plan: StudyPlan, console: Console) -> None:
    """Prepare a study, run it to its end and print what came of it.

    Raises `InputError` before anything is started or overwritten.
    """
    _check_storage(plan)
    runs = Runs(plan.tracking_uri, plan.space.name, plan.name, plan.artifacts)
    with console.status(f"preparing data set and classifier of {plan.dataset}"):
        scale = plan.space.scale
        preparation = prepare_protocol(plan.dataset, scale.ood_sets, scale.num_samples, plan.cache_dir)
    console.print_preparation(plan, preparation)
    with cluster(plan) as concurrent:
        plan.folder.mkdir(parents=True)
        (plan.folder / "study.json").write_text(json.dumps(plan.describe(), indent=2))
        study = create_study(plan.name, open_storage(plan.folder / "optuna.journal"), plan.space)
        spool = Spool(plan.folder / "spool", runs.deliver)
        tags = _tags(plan, preparation)
        spool.put(_start_of_study(plan, preparation, tags))
        try:
            _tune(plan, preparation, study, concurrent, [Tracker(spool, tags), Progress(console, plan)])
            failed = all(trial.state == optuna.trial.TrialState.FAIL for trial in study.get_trials(deepcopy=False))
            spool.put({"trial": PARENT, "time_ms": now_ms(), "status": "FAILED" if failed else "FINISHED"})
        finally:
            undelivered = spool.close(DELIVERY_SECONDS)
    console.print_results(plan, preparation, study)
    console.print_next_steps(plan)
    if undelivered:
        console.warn(
            f"{undelivered} events did not reach {without_credentials(plan.tracking_uri)}; "
            f"they are kept in {plan.folder / 'spool'}."
        )


def _tune(
    plan: StudyPlan,
    preparation: Preparation,
    study: optuna.Study,
    concurrent: int,
    callbacks: list,
) -> None:
    searcher = OptunaSearcher(
        study, plan.space, lambda trial: plan.trial_spec(trial, preparation.protocol), plan.config.seed
    )
    Tuner(
        with_resources(Trial, {"cpu": plan.config.cpus_per_trial, "gpu": plan.gpus_per_trial}),
        tune_config=TuneConfig(
            search_alg=searcher,
            num_samples=plan.num_trials,
            max_concurrent_trials=concurrent,
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=RunConfig(
            name="ray",
            storage_path=str(plan.folder),
            checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
            failure_config=FailureConfig(max_failures=2),
            callbacks=callbacks,
            verbose=0,
        ),
    ).fit()


def _trial_name(trial: RayTrial) -> str:
    return f"trial-{trial.config['spec']['number']:04d}"


def _check_storage(plan: StudyPlan) -> None:
    if plan.folder.exists():
        raise InputError(
            f"study {plan.name!r} exists already in {plan.folder}: choose another --name or remove that folder."
        )
    probe = plan.storage / f".probe-{os.getpid()}"
    try:
        plan.storage.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(bytes(4096))
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"cannot write to the storage folder {plan.storage} ({error.strerror}): choose another --storage-dir."
        ) from error


def _start_of_study(plan: StudyPlan, preparation: Preparation, tags: dict[str, str]) -> dict:
    return {
        "trial": PARENT,
        "time_ms": now_ms(),
        "params": plan.describe() | {f"protocol.{k}": v for k, v in preparation.protocol.model_dump().items()},
        "metrics": preparation.anchors | {"classifier_test_accuracy": preparation.classifier_accuracy},
        "tags": tags,
        "artifacts": {"study": str(plan.folder / "study.json")},
    }


def _tags(plan: StudyPlan, preparation: Preparation) -> dict[str, str]:
    versions = {f"version.{package}": version(package) for package in PACKAGES}
    return versions | {
        "version.python": platform.python_version(),
        "space": plan.space.name,
        "scale": plan.config.scale,
        "dataset": plan.dataset,
        "method": plan.space.method,
        "protocol": preparation.protocol.sha256,
        "git_commit": _git_commit(),
    }


def _git_commit() -> str:
    """The commit of the code that runs, "+changes" where files differ from it; "unknown" outside a checkout."""
    here = Path(__file__).parent
    command = [
        "git",
        "-C",
        str(here),
        "describe",
        "--always",
        "--abbrev=40",
        "--dirty=+changes",
        "--exclude=*",
    ]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
