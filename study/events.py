"""What MLflow is told about a study. Events are JSON, so that they wait on disk while the tracking server is away."""

from __future__ import annotations

import csv
import io
import json
import platform
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from study.about import SEARCH_FILE, Search
from study.claims import Outcome
from study.folder import trial_key
from study.metric_names import in_sections
from study.plan import StudyPlan, describe
from study.spool import Event
from study.trials import FAILURE, REPORTED, numbers
from study.verdicts import CLAIMS_FILE, as_json
from trainables.files import write_atomically
from trainables.preparation import Preparations
from trainables.protocol import Protocol
from trainables.trial_spec import TrialSpec

PARENT = "parent"
"""The key of the study's own run, in the place of a trial's."""
FIRST_TRIAL_TAG = "first_trial"
"""The tag with the name of a first trial; other trials do not have it."""
SEARCHED = "searched."
"""The prefix of Optuna's parameters among a trial's params; the others are the method's config."""
PARETO_FRONT = "pareto_front"
"""The tag of a trial with several objectives: whether it is on the Pareto front."""
BEST_TRIAL = "best_trial"
PER_SEED_FILE = "per_seed.json"
"""The artifact of a trial with several seeds: a list of the last metrics of each."""
REFERENCES_FILE = "references.csv"
"""The artifact of a study with its reference values, which MLflow shows as a table."""
REFERENCE_COLUMNS = ("dataset", "name", "value")
PACKAGES = ("ray", "optuna", "mlflow", "torch")


def study_tags(plan: StudyPlan, preparations: Preparations) -> dict[str, str]:
    """The tags of the study, which its trials have too."""
    versions = {f"version.{package}": version(package) for package in PACKAGES}
    return versions | {
        "version.python": platform.python_version(),
        "space": plan.space.name,
        "scale": plan.space.scale_name,
        "dataset": ", ".join(preparations),
        "method": ", ".join(plan.space.method_names),
        "protocol": ", ".join(preparation.protocol.sha256 for preparation in preparations.values()),
        "git_commit": _git_commit(),
    }


def study_started(plan: StudyPlan, preparations: Preparations, tags: dict[str, str]) -> Event:
    """What is the same for all trials: options, protocols, reference values (a table)."""
    params = describe(plan)
    trials = params.pop("trials")  # params cannot change, and a resumed study may be extended
    del params["measures"]  # the complete ones are in the protocols
    for name, preparation in preparations.items():
        of = f".{name}" if len(preparations) > 1 else ""
        params |= _protocol_params(f"protocol{of}", preparation.protocol)
    return {
        "trial": PARENT,
        "time_ms": now_ms(),
        "params": {} if plan.is_resumed else params,
        "tags": tags | {"trials": str(trials)},
        "texts": {
            REFERENCES_FILE: _references(preparations),
            SEARCH_FILE: Search.of(plan).model_dump_json(indent=2),
        },
        "artifacts": {"study": str(plan.folder.study_json)},
        "status": "RUNNING",
    }


def study_ended(best: int | None, weights: Path, outcomes: Sequence[Outcome], status: str) -> Event:
    """The best trial and its weights, if there are any, the verdicts on the claims, and how the study ended."""
    return {
        "trial": PARENT,
        "time_ms": now_ms(),
        "tags": {} if best is None else {BEST_TRIAL: trial_key(best)},
        "artifacts": {"best": str(weights)},
        "texts": {CLAIMS_FILE: as_json(outcomes)},
        "status": status,
    }


def trial_started(spec: TrialSpec, tags: dict[str, str]) -> Event:
    """The method's whole config, what Optuna suggested, and the tags of the study."""
    searched = {f"{SEARCHED}{name}": value for name, value in spec.params.items()}
    of_trial = {"dataset": spec.protocol.dataset, "method": spec.method, "protocol": spec.protocol.sha256}
    if spec.first_trial is not None:
        of_trial[FIRST_TRIAL_TAG] = spec.first_trial
    params = spec.config | {"method": spec.method, "rounds": spec.rounds} | searched
    return trial_event(spec.number, params=params, tags=tags | of_trial, status="RUNNING")


def trial_perturbed(number: int, changed: dict[str, float], round_number: int) -> Event:
    """Settings that population based training has changed, as tags and metrics: MLflow's params cannot change."""
    tags = {f"perturbed.{name}": str(value) for name, value in changed.items()}
    metrics = {f"train/perturbed_{name}": value for name, value in changed.items()}
    return trial_event(number, metrics=metrics, tags=tags, step=round_number)


def trial_reported(spec: TrialSpec, result: dict[str, Any]) -> Event:
    """The metrics at their round, and the device; at the time of the report, so that a repeated report is the same."""
    at = {"time_ms": result[REPORTED]} if REPORTED in result else {}
    tags = {"device": result["device"]} if "device" in result else {}
    found = numbers(result)
    metrics = {name: found[metric] for metric, name in in_sections(found, spec).items()}
    return trial_event(spec.number, metrics=metrics, tags=tags, step=result["round"], **at)


def trial_ended(number: int, folder: Path, failure: str | None) -> Event:
    """The pictures of a trial, the metrics of each of its seeds, and how it ended; `folder` is the trial's."""
    return trial_event(
        number,
        artifacts={
            "pictures": str(folder / "pictures"),
            "error": str(folder / "error.txt"),
            "per_seed": str(folder / PER_SEED_FILE),
        },
        tags={FAILURE: failure} if failure else {},
        status="FAILED" if failure else "FINISHED",
    )


def keep_per_seed(folder: Path, per_seed: Sequence[dict[str, Any]]) -> None:
    """Write the last metrics of each seed into the trial's folder, where `trial_ended` expects them."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / PER_SEED_FILE, json.dumps([numbers(each) for each in per_seed]).encode())


def trial_compared(number: int, on_front: bool) -> Event:
    """Whether a trial is on the Pareto front."""
    return trial_event(number, tags={PARETO_FRONT: on_front})


def trial_event(number: int, **event: Any) -> Event:
    """An event of a trial, with the present time unless `event` has a `time_ms`."""
    return {"trial": trial_key(number), "time_ms": now_ms()} | event


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


def _protocol_params(prefix: str, protocol: Protocol) -> dict[str, Any]:
    """The settings of a protocol by name; those of a measure's second turn are in `<measure>_2`."""
    params: dict[str, Any] = {f"{prefix}.dataset": protocol.dataset}
    turns: Counter[str] = Counter()
    for settings in protocol.measures:
        measure = settings.measure.replace(":", ".")
        turns[measure] += 1
        if turns[measure] > 1:
            measure = f"{measure}_{turns[measure]}"
        values = settings.model_dump(mode="json")
        params |= {f"{prefix}.{measure}.{key}": value for key, value in values.items() if key != "measure"}
    return params


def _references(preparations: Preparations) -> str:
    """All reference values, as a table of comma-separated values."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(REFERENCE_COLUMNS)
    for dataset, preparation in preparations.items():
        writer.writerows((dataset, name, value) for name, value in preparation.references.items())
    return table.getvalue()


def _git_commit() -> str:
    """The commit of the code that runs, "+changes" where files differ from it; "unknown" outside a checkout."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
