"""What MLflow holds of a study: a run for the study, a run below it for each trial. One writer and one reader."""

from __future__ import annotations

import csv
import itertools
import json
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Metric, Param, Run, RunStatus, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from study.artifacts import mend_moved
from study.events import EXPERIMENT_KIND, PARENT, PER_SEED_FILE, REFERENCE_COLUMNS, REFERENCES_FILE, SEARCHED
from study.metric_names import allowed, plain
from study.optuna_storage import DATABASES, connect
from study.refusals import may_pass
from study.run_contents import log_datasets, log_frames, log_model
from study.run_files import RunFiles
from study.sentences import first_line
from study.spool import Event
from trainables.credentials import without_credentials
from trainables.errors import InputError
from trainables.measures.frames import frames_after

STUDY_TAG = "study"
TRIAL_TAG = "trial"
BATCH = 100
"""How much MLflow takes at once."""
PAGE = 1000
"""Experiments, or studies, in an answer of the server."""
RUNS_AT_ONCE = 100
"""Runs in an answer of the server: with all metrics, a thousand take a busy one longer than the client waits."""
READERS = 8
"""Requests to the tracking server at once."""
PATIENCE = 4
"""How often an event is tried again before it is asked whether the server takes anything else."""

for library in ("mlflow", "alembic", "urllib3"):
    logging.getLogger(library).setLevel(logging.ERROR)


class Runs:
    """The runs of one study on a tracking server, found again by their tags.

    An experiment holds all studies of a space, so that MLflow compares them side by side.
    """

    def __init__(self, tracking_uri: str, experiment: str, study: str, artifacts: Path | None) -> None:
        self.study = study
        self.refused: list[str] = []
        """Why the server refused events. They are left out: trying them again would not help."""
        self.unfinished: set[str] = set()
        """Trials whose runs an earlier driver left without an end."""
        self._failures = 0
        try:
            if tracking_uri.startswith(DATABASES):
                connect(tracking_uri)
            self.client = MlflowClient(tracking_uri)
            found = self.client.get_experiment_by_name(experiment)
            if found and found.lifecycle_stage == LifecycleStage.DELETED:
                number = found.experiment_id
                raise InputError(
                    f"experiment {experiment!r} of {without_credentials(tracking_uri)} has been deleted: restore it "
                    f"by `mlflow experiments restore --experiment-id {number}`, or remove it for good by "
                    f"`mlflow gc --experiment-ids {number}`."
                )
            self.experiment_id = (
                found.experiment_id
                if found
                else self.client.create_experiment(
                    experiment, artifact_location=artifacts.absolute().as_uri() if artifacts else None
                )
            )
            if found and artifacts:
                mend_moved(tracking_uri, found.artifact_location, artifacts.absolute())
            self.ids = self._existing()
            """The run of each trial, and of the study."""
        except InputError:
            raise
        except Exception as error:
            raise _unanswered(tracking_uri, error) from error

    def _existing(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for run in _runs_of(self.client, [self.experiment_id], self.study):
            trial = run.data.tags[TRIAL_TAG]
            found[trial] = run.info.run_id
            if not RunStatus.is_terminated(RunStatus.from_string(run.info.status)):
                self.unfinished.add(trial)
        return found

    def id_of(self, trial: str, start_time_ms: int) -> str:
        """The run of a trial (or of the study, `PARENT`), made if there is none."""
        if trial not in self.ids:
            self._make(trial, start_time_ms, "", {})
        return self.ids[trial]

    def _make(self, trial: str, start_time_ms: int, name: str, tags: dict[str, str]) -> dict[str, str]:
        """Make the run of a trial, with `tags`, or without them where one is refused; returns those that it lacks.

        `name` is shown for a trial.
        """
        own = {STUDY_TAG: self.study, TRIAL_TAG: trial}
        if trial == PARENT:
            name = self.study
        else:
            own[MLFLOW_PARENT_RUN_ID] = self.id_of(PARENT, start_time_ms)
            name = name or trial
        own[MLFLOW_RUN_NAME] = name
        make = partial(self.client.create_run, self.experiment_id, start_time_ms, run_name=name)
        try:
            self.ids[trial] = make(tags=tags | own).info.run_id
        except Exception as error:
            if not tags or self._is_worth_another_try(error):
                raise
            self.ids[trial] = make(tags=own).info.run_id
            return tags
        return {}

    def deliver(self, *events: Event) -> None:
        """Apply events of one trial, or of the study; applying them twice changes nothing.

        Raises where the server cannot be reached. What will never be taken is left out, and nothing else with it.
        """
        try:
            self._kept("an event", lambda: self._apply(events))
        except Exception:
            self._failures += 1
            raise
        self._failures = 0

    def _kept(self, what: str, step: Callable[[], object]) -> None:
        """Take a step; if it fails and would fail again, `refused` says what was refused, and why."""
        try:
            step()
        except Exception as error:
            if self._is_worth_another_try(error):
                raise
            self.refused.append(f"{what}: {first_line(error)}")

    def _is_worth_another_try(self, error: Exception) -> bool:
        """False also where the server has failed on this event for a while, and takes others: a 500 that stays."""
        return may_pass(error) and not (self._failures > PATIENCE and self._takes_others())

    def _takes_others(self) -> bool:
        try:
            for tag, value in EXPERIMENT_KIND.items():
                self.client.set_experiment_tag(self.experiment_id, tag, value)
        except Exception:
            return False
        return True

    def _apply(self, events: Sequence[Event]) -> None:
        """Log what the events say, with as few requests as that takes."""
        first = events[0]
        trial = first["trial"]
        is_new = trial not in self.ids
        said = {name: value for event in events for name, value in event.get("tags", {}).items()}
        tags = {allowed(name): str(value) for name, value in said.items()}
        if is_new:
            tags = self._make(trial, first["time_ms"], first.get("name", ""), tags)
        run_id = self.ids[trial]
        metrics = [
            Metric(allowed(name), value, event["time_ms"], event.get("step", 0))
            for event in events
            for name, value in event.get("metrics", {}).items()
        ]
        settings = [(name, str(value)) for event in events for name, value in event.get("params", {}).items()]
        params = [Param(allowed(name), value) for name, value in dict.fromkeys(settings)]
        new_tags = [RunTag(name, value) for name, value in tags.items()]
        for start in range(0, max(len(metrics), len(params), len(new_tags)), BATCH):
            part = slice(start, start + BATCH)
            self._log(run_id, metrics[part], params[part], new_tags[part])
        for event in events:
            self._log_files(run_id, event)
        statuses = [(event["status"], event["time_ms"]) for event in events if "status" in event]
        for status, at in statuses[-1:]:
            if status != "RUNNING":
                self.client.set_terminated(run_id, status, at)
            elif not is_new:  # a new run is running
                self.client.update_run(run_id, status)

    def _log_files(self, run_id: str, event: Event) -> None:
        """Log what an event holds besides metrics, params and tags."""
        step, at = event.get("step", 0), event["time_ms"]
        for artifact_path, local in event.get("artifacts", {}).items():
            if Path(local).is_dir():
                self._kept(artifact_path, partial(self.client.log_artifacts, run_id, local, artifact_path))
            elif Path(local).exists():
                self._kept(Path(local).name, partial(self.client.log_artifact, run_id, local))
        for artifact_path, text in event.get("texts", {}).items():
            self._kept(artifact_path, partial(self.client.log_text, run_id, text, artifact_path))
        if frames := frames_after(Path(event["frames"]), step) if "frames" in event else {}:
            self._kept("frames", partial(log_frames, self.client, run_id, frames, step, at))
        if "inputs" in event:
            self._kept("data sets", partial(log_datasets, self.client, run_id, event["inputs"]))
        if (weights := event.get("model")) and Path(weights).exists():
            name = f"{self.study}-{event['trial']}"
            self._kept("model", partial(log_model, self.client, run_id, name, Path(weights), SEARCHED))
        for tag, value in event.get("experiment_tags", {}).items():
            self._kept(f"tag {tag}", partial(self.client.set_experiment_tag, self.experiment_id, tag, value))

    def _log(self, run_id: str, metrics: list[Metric], params: list[Param], tags: list[RunTag]) -> None:
        """Log them together, or, where that is refused, each by itself: `synchronous`, whatever MLFLOW_* say."""
        log = partial(self.client.log_batch, run_id, synchronous=True)
        try:
            log(metrics, params, tags)
        except Exception as error:
            if self._is_worth_another_try(error):
                raise
            for metric in metrics:
                self._kept(f"metric {metric.key}", partial(log, metrics=[metric]))
            for param in params:
                self._kept(f"parameter {param.key}", partial(log, params=[param]))
            for tag in tags:
                self._kept(f"tag {tag.key}", partial(log, tags=[tag]))


@dataclass(frozen=True)
class Recorded:
    """A study as MLflow knows it."""

    study: pd.Series
    """The study's own row, with the columns of `trials`."""
    trials: pd.DataFrame
    """A row per trial, by its number: `run_id`, `experiment_id`, `status`, `start_time`, `end_time` (UTC), and columns
    `params.<name>` (text), `metrics.<name>` (the last value) and `tags.<name>`; NaN where a trial has none."""
    per_seed: pd.DataFrame
    """A row per value of trials with several seeds, at their end: `trial`, `seed` (from 0), `metric`, `value`."""
    references: pd.DataFrame
    """A row per reference value of the study's preparation: `dataset`, `name` such as `fid_lenet_noise`, `value`."""
    runs: Mapping[int, Run]
    """The run of each trial."""
    client: MlflowClient

    def curves(self, metrics: Collection[str] | None = None, trials: Collection[int] | None = None) -> pd.DataFrame:
        """A row per value of these metrics of these trials, by default of all: `trial`, `metric`, `round`, `value`.

        Rounds rise. It is read now, by a request for each trial and metric.
        """
        with ThreadPoolExecutor(READERS) as readers:
            found = readers.map(
                lambda number: list(_curves(self.client, number, self.runs[number], metrics)),
                self.runs if trials is None else trials,
            )
            return pd.DataFrame(itertools.chain(*found), columns=["trial", "metric", "round", "value"])


def rows(tracking_uri: str, study: str) -> tuple[pd.Series, pd.DataFrame]:
    """The rows of a study and of its trials, as in `Recorded`, which takes longer; raises `InputError` as `read`."""
    try:
        _, parent, by_number = _found(tracking_uri, study)
    except InputError:
        raise
    except Exception as error:
        raise _unanswered(tracking_uri, error) from error
    return _rows(study, parent, by_number)


def newest(tracking_uri: str) -> str:
    """The name of the study that was started last; raises `InputError` where there is none."""
    try:
        client, experiments = _opened(tracking_uri)
        wanted = f"tags.{TRIAL_TAG} = '{PARENT}'"
        found = client.search_runs(experiments, wanted, max_results=1, order_by=["attributes.start_time DESC"])
    except Exception as error:
        raise _unanswered(tracking_uri, error) from error
    if not found:
        raise InputError(f"{without_credentials(tracking_uri)} holds no study: start one (make study).")
    return found[0].data.tags[STUDY_TAG]


def read(tracking_uri: str, study: str) -> Recorded:
    """What MLflow holds of a study; metrics have their plain names.

    Raises `InputError` where the server does not answer, or does not know the study.
    """
    try:
        client, parent, by_number = _found(tracking_uri, study)
        files = RunFiles(client)
        has_seeds = parent.data.params.get("seeds") != "1"
        per_seed = [row for number, run in by_number.items() if has_seeds for row in _per_seed(files, number, run)]
        references = list(csv.DictReader(files.text(parent.info.run_id, REFERENCES_FILE).splitlines()))
    except InputError:
        raise
    except Exception as error:
        raise _unanswered(tracking_uri, error) from error
    return Recorded(
        *_rows(study, parent, by_number),
        pd.DataFrame(per_seed, columns=["trial", "seed", "metric", "value"]),
        pd.DataFrame(references, columns=REFERENCE_COLUMNS).astype({"value": float}),
        by_number,
        client,
    )


def _opened(tracking_uri: str) -> tuple[MlflowClient, list[str]]:
    """The client of a tracking server, and the ids of its experiments."""
    if tracking_uri.startswith(DATABASES):
        connect(tracking_uri)
    client = MlflowClient(tracking_uri)
    return client, [experiment.experiment_id for experiment in client.search_experiments(max_results=PAGE)]


def _found(tracking_uri: str, study: str) -> tuple[MlflowClient, Run, dict[int, Run]]:
    """The runs of a study and of its trials, by number."""
    client, experiments = _opened(tracking_uri)
    runs = {run.data.tags[TRIAL_TAG]: run for run in _runs_of(client, experiments, study)}
    if PARENT not in runs:
        raise InputError(f"{without_credentials(tracking_uri)} holds no study {study!r}: check its name.")
    return client, runs.pop(PARENT), {int(key): runs[key] for key in sorted(runs)}


def _rows(study: str, parent: Run, by_number: Mapping[int, Run]) -> tuple[pd.Series, pd.DataFrame]:
    trials = pd.DataFrame([_row(run) for run in by_number.values()], index=pd.Index(list(by_number), name="trial"))
    return pd.Series(_row(parent), name=study), trials


def _runs_of(client: MlflowClient, experiments: Sequence[str], study: str) -> Iterator[Run]:
    token = None
    while True:
        wanted = f"tags.{STUDY_TAG} = '{study}'"
        page = client.search_runs(list(experiments), wanted, max_results=RUNS_AT_ONCE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _row(run: Run) -> dict[str, Any]:
    """A run as a flat record."""
    times = {"start_time": run.info.start_time, "end_time": run.info.end_time}
    row: dict[str, Any] = {"run_id": run.info.run_id, "status": run.info.status}
    row["experiment_id"] = run.info.experiment_id
    row |= {name: pd.to_datetime(value, unit="ms", utc=True) for name, value in times.items()}
    for kind, values in (("params", run.data.params), ("tags", run.data.tags)):
        row |= {f"{kind}.{name}": value for name, value in values.items()}
    reported = ((plain(name), value) for name, value in run.data.metrics.items())
    return row | {f"metrics.{name}": value for name, value in reported if name is not None}


def _curves(
    client: MlflowClient, number: int, run: Run, metrics: Collection[str] | None
) -> Iterator[tuple[int, str, int, float]]:
    reported = sorted((metric, name) for name in run.data.metrics if (metric := plain(name)) is not None)
    for metric, name in reported:
        if metrics is None or metric in metrics:
            for each in sorted(client.get_metric_history(run.info.run_id, name), key=lambda value: value.step):
                yield number, metric, each.step, each.value


def _per_seed(files: RunFiles, number: int, run: Run) -> Iterator[tuple[int, int, str, float]]:
    for seed, metrics in enumerate(json.loads(files.text(run.info.run_id, PER_SEED_FILE) or "[]")):
        for name in sorted(metrics or {}):
            yield number, seed, name, metrics[name]


def _unanswered(tracking_uri: str, error: Exception) -> InputError:
    shown = without_credentials(tracking_uri)
    if "database is locked" in str(error):
        return InputError(f"{shown} is locked by another program: end that program, or try again later.")
    if not tracking_uri.startswith(("http:", "https:", *DATABASES)):
        return InputError(
            f"MLflow keeps no runs in {shown}: name a server (http://HOST:PORT), a database (sqlite:///FILE, "
            "postgresql://...), or leave out --tracking-uri to use a local file."
        )
    return InputError(
        f"the tracking server at {shown} does not answer ({first_line(error)}): "
        "start it, or leave out --tracking-uri to use a local file."
    )
