"""What MLflow is told about a study. Events are JSON, so that they wait on disk while the tracking server is away."""

from __future__ import annotations

import csv
import getpass
import io
import json
import math
import platform
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mlflow.utils.mlflow_tags import (
    MLFLOW_GIT_COMMIT,
    MLFLOW_RUN_NOTE,
    MLFLOW_SOURCE_NAME,
    MLFLOW_SOURCE_TYPE,
    MLFLOW_USER,
)

from study.about import SEARCH_FILE, Search
from study.folder import trial_key
from study.metric_names import COST, in_sections
from study.metric_names import SEARCHED as SEARCHED_SECTION
from study.mlflow_pages import view_tag
from study.plan import StudyPlan, describe
from study.spool import Event
from study.trial_specs import is_off, spoken_settings
from study.trials import FAILURE, REPORTED, numbers
from study.verdicts import Judged, counts
from trainables.export import BEST_FILE
from trainables.files import write_atomically
from trainables.measures.frames import FRAMES
from trainables.measures.settings import SCRAMBLED, DetectionSettings
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
INFEASIBLE = "infeasible"
"""The tag of a trial with the constraints that it does not keep; it is not ranked."""
INHERITED_TAG = "inherited_trials"
"""The tag of a study with the number of trials that other studies trained: theirs are the first numbers."""
PER_SEED_FILE = "per_seed.json"
"""The artifact of a trial with several seeds: a list of the last metrics of each."""
REFERENCES_FILE = "references.csv"
"""The artifact of a study with its reference values, which MLflow shows as a table."""
REFERENCE_COLUMNS = ("dataset", "name", "value")
OBJECTIVE, DIRECTION = "objective", "direction"
"""Tags of a study: the metric that its trials are ranked by, and whether more or less of it is better."""
EXPERIMENT_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Makes MLflow show the experiment as one of training, not of language models."""
DIGEST_LENGTH = 36
"""The longest digest of a data set that MLflow takes."""
PACKAGES = ("ray", "optuna", "mlflow", "torch")


def study_tags(plan: StudyPlan, preparations: Preparations) -> dict[str, str]:
    """The tags of the study, which its trials have too."""
    commit = git_commit()
    versions = {f"version.{package}": version(package) for package in PACKAGES}
    return versions | {
        "version.python": platform.python_version(),
        "space": plan.space.name,
        "scale": plan.space.scale_name,
        "dataset": ", ".join(preparations),
        "method": ", ".join(plan.space.method_names),
        "protocol": ", ".join(preparation.protocol.sha256 for preparation in preparations.values()),
        "git_commit": commit,
        MLFLOW_USER: _user(),
        MLFLOW_SOURCE_NAME: f"study.launch --space {plan.space.name}",
        MLFLOW_SOURCE_TYPE: "LOCAL",
        MLFLOW_GIT_COMMIT: commit.partition("+")[0],
    }


def study_started(plan: StudyPlan, preparations: Preparations, tags: dict[str, str], inherited: int = 0) -> Event:
    """What is the same for all trials: options, protocols, reference values (a table).

    `inherited` is the number of trials that other studies trained.
    """
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
        "tags": tags
        | {"trials": str(trials), OBJECTIVE: plan.objectives[0], DIRECTION: plan.directions[0]}
        | ({INHERITED_TAG: str(inherited)} if inherited else {}),
        "experiment_tags": EXPERIMENT_KIND
        | view_tag(plan)
        | {
            "mlflow.experiment.primaryMetric.name": plan.objectives[0],
            "mlflow.experiment.primaryMetric.greaterIsBetter": str(plan.directions[0] == "maximize"),
        },
        "texts": {
            REFERENCES_FILE: _references(preparations),
            SEARCH_FILE: Search.of(plan).model_dump_json(indent=2),
        },
        "artifacts": {"study": str(plan.folder.study_json)},
        "status": "RUNNING",
    }


def study_ended(best: int | None, weights: Path, status: str, hours: dict[str, float], note: str = "") -> Event:
    """The best trial and its weights, if there are any, what all trials cost, and how the study ended.

    `hours` are those of `Spending`, `note` is Markdown.
    """
    tags = {} if best is None else {BEST_TRIAL: trial_key(best)}
    return {
        "trial": PARENT,
        "time_ms": now_ms(),
        "metrics": _costs(hours),
        "tags": tags | ({MLFLOW_RUN_NOTE: note} if note else {}),
        "artifacts": {"best": str(weights)},
        "status": status,
    }


def claims_judged(judged: Sequence[Judged], path: Path) -> Event:
    """The verdicts on the claims: a tag for each, both counts, and `claims.json`."""
    tags = {
        f"claim.{number:02d}": f"{each.outcome.verdict} (by Holm: {each.corrected}): {each.outcome.claim.text}"
        for number, each in enumerate(judged, 1)
    }
    for rule, found in counts(judged).items():
        tags |= {f"claims.{rule}.{verdict}": str(number) for verdict, number in found.items()}
    return {"trial": PARENT, "time_ms": now_ms(), "tags": tags, "artifacts": {"claims": str(path)}}


def trial_started(spec: TrialSpec, tags: dict[str, str]) -> Event:
    """The method's whole config, what Optuna suggested, and the tags of the study."""
    searched = {f"{SEARCHED}{name}": value for name, value in spec.params.items()}
    settings = {name: spec.config.get(name, param) for name, param in spec.params.items()}
    of_trial = {
        "dataset": spec.protocol.dataset,
        "method": spec.method,
        "protocol": spec.protocol.sha256,
        "setting": spoken_settings(settings, spec.params),
        "seed": str(spec.config["seed"]),
        "precision": spec.precision,
    }
    if spec.first_trial is not None:
        of_trial |= {FIRST_TRIAL_TAG: spec.first_trial, MLFLOW_RUN_NOTE: f"First trial: {spec.first_trial}"}
    if spec.revived is not None:
        of_trial["revived"] = trial_key(spec.revived)
    return trial_event(
        spec.number,
        name=f"{trial_key(spec.number)} {spec.first_trial or ''}".strip(),
        params=spec.config | {"method": spec.method, "rounds": spec.rounds} | searched,
        metrics=_searched_metrics(spec),
        tags=tags | of_trial,
        inputs=_inputs(spec.protocol),
        status="RUNNING",
    )


def trial_perturbed(number: int, changed: dict[str, float], round_number: int) -> Event:
    """Settings that population based training has changed, as tags and metrics: MLflow's params cannot change."""
    tags = {f"perturbed.{name}": str(value) for name, value in changed.items()}
    metrics = {f"train/perturbed_{name}": value for name, value in changed.items()}
    return trial_event(number, metrics=metrics, tags=tags, step=round_number)


def trial_reported(spec: TrialSpec, result: dict[str, Any]) -> Event:
    """The metrics at their round, the frames, the device; at the time of the report: a repeated report is the same."""
    at = {"time_ms": result[REPORTED]} if REPORTED in result else {}
    tags = {"device": result["device"]} if "device" in result else {}
    found = numbers(result)
    metrics = {name: found[metric] for metric, name in in_sections(found, spec).items()}
    folder = Path(spec.folder if spec.seeds == 1 else spec.repetition(0).folder)
    frames = str(folder / FRAMES)
    return trial_event(spec.number, metrics=metrics, tags=tags, frames=frames, step=result["round"], **at)


def trial_ended(
    number: int,
    folder: Path,
    failure: str | None,
    hours: dict[str, float],
    round_number: int = 0,
    infeasible: Sequence[str] = (),
) -> Event:
    """The pictures of a trial, the metrics of each of its seeds, how it ended, and the model if it did not fail.

    `folder` is the trial's, `hours` is what it cost by its last round, `infeasible` are the constraints that it breaks.
    """
    failed = {FAILURE: failure, MLFLOW_RUN_NOTE: f"Failed: {failure}"}
    return trial_event(
        number,
        artifacts={
            "pictures": str(folder / "pictures"),
            "error": str(folder / "error.txt"),
            "per_seed": str(folder / PER_SEED_FILE),
        },
        tags=failed if failure else {INFEASIBLE: ", ".join(infeasible)} if infeasible else {},
        metrics=_costs(hours),
        step=round_number,
        model="" if failure else str(folder / BEST_FILE),
        status="FAILED" if failure else "FINISHED",
    )


def keep_per_seed(folder: Path, per_seed: Sequence[dict[str, Any] | None]) -> None:
    """Write the last metrics of each seed into the trial's folder, where `trial_ended` expects them.

    None stands for a seed that has diverged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / PER_SEED_FILE, json.dumps([each and numbers(each) for each in per_seed]).encode())


def trial_compared(number: int, on_front: bool) -> Event:
    """Whether a trial is on the Pareto front."""
    return trial_event(number, tags={PARETO_FRONT: on_front})


def trial_event(number: int, **event: Any) -> Event:
    """An event of a trial, with the present time unless `event` has a `time_ms`."""
    return {"trial": trial_key(number), "time_ms": now_ms()} | event


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


def _costs(hours: dict[str, float]) -> dict[str, float]:
    return {f"{COST}/{name}": value for name, value in hours.items()}


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


def _searched_metrics(spec: TrialSpec) -> dict[str, float]:
    """The suggested numbers, which MLflow plots on an axis, unlike params; on a log scale if they were searched so.

    All values that mean "off" are the same one there: the smallest of the scale.
    """
    metrics: dict[str, float] = {}
    for name, param in spec.params.items():
        value = spec.config.get(name, param)
        value = value if isinstance(value, int | float) else param
        if not isinstance(value, int | float):
            continue
        metrics[f"{SEARCHED_SECTION}/{name}"] = float(value)
        if name in spec.log_scales:
            shown = spec.log_scales[name] if is_off(value, param) else param
            metrics[f"{SEARCHED_SECTION}/log10_{name}"] = math.log10(shown)
    return metrics


def _inputs(protocol: Protocol) -> list[dict[str, str]]:
    """The data sets of a trial: what they are for, and a name each, since MLflow keeps a name once a run."""
    names = {protocol.dataset: "train", f"{protocol.dataset} test": "test"}
    for settings in protocol.measures:
        if isinstance(settings, DetectionSettings):
            names |= {name: "ood" for name in settings.ood_sets if name != SCRAMBLED}
    return [{"name": name, "digest": protocol.sha256[:DIGEST_LENGTH], "context": use} for name, use in names.items()]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return "unknown"


def _references(preparations: Preparations) -> str:
    """All reference values, as a table of comma-separated values."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(REFERENCE_COLUMNS)
    for dataset, preparation in preparations.items():
        writer.writerows((dataset, name, value) for name, value in preparation.references.items())
    return table.getvalue()


def git_commit() -> str:
    """The commit of the code that runs, "+changes" where files differ from it; "unknown" outside a checkout."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
