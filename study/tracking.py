"""Ray's events -> MLflow: a parent run per study, a child run per trial. The driver is the only writer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME
from ray.tune import Callback
from ray.tune.experiment import Trial as RayTrial

from study.optuna_storage import DATABASES, connect
from study.schedulers import perturbed
from study.sentences import first_line, without_credentials
from study.spool import Event, Spool
from study.trials import FAILURE, PROCESS_LOST, REPORTED, NotInSnapshot, number_of, numbers, trial_key
from trainables.errors import InputError
from trainables.training import TrialSpec

STUDY_TAG = "study"
TRIAL_TAG = "trial"
PARENT = "parent"
BAD_REQUEST = 400

for library in ("mlflow", "alembic", "urllib3"):
    logging.getLogger(library).setLevel(logging.ERROR)


class Runs:
    """The runs of one study on a tracking server, found again by their tags.

    An experiment holds all studies of a space, so that MLflow compares them side by side.
    """

    def __init__(self, tracking_uri: str, experiment: str, study: str, artifacts: Path | None) -> None:
        self.study = study
        self.refused: list[str] = []
        """What the server will never take, and why: it is left out instead of tried for ever."""
        self.unfinished: set[str] = set()
        """Trials whose runs an earlier driver left without an end."""
        try:
            if tracking_uri.startswith(DATABASES):
                connect(tracking_uri)
            self.client = MlflowClient(tracking_uri)
            found = self.client.get_experiment_by_name(experiment)
            self.experiment_id = (
                found.experiment_id
                if found
                else self.client.create_experiment(
                    experiment, artifact_location=artifacts.resolve().as_uri() if artifacts else None
                )
            )
            self._ids = self._existing()
        except Exception as error:
            raise InputError(
                f"the tracking server at {without_credentials(tracking_uri)} does not answer "
                f"({first_line(error)}): start it, or leave out --tracking-uri to use a local file."
            ) from error

    def _existing(self) -> dict[str, str]:
        found: dict[str, str] = {}
        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment_id],
                f"tags.{STUDY_TAG} = '{self.study}'",
                max_results=1000,
                page_token=token,
            )
            for run in page:
                trial = run.data.tags[TRIAL_TAG]
                found[trial] = run.info.run_id
                if not RunStatus.is_terminated(RunStatus.from_string(run.info.status)):
                    self.unfinished.add(trial)
            token = page.token
            if not token:
                return found

    def id_of(self, trial: str, start_time_ms: int) -> str:
        """The run of a trial (or of the study, `PARENT`), made if there is none."""
        if trial not in self._ids:
            tags = {STUDY_TAG: self.study, TRIAL_TAG: trial}
            name = self.study
            if trial != PARENT:
                tags[MLFLOW_PARENT_RUN_ID] = self._ids[PARENT]
                name = f"{self.study}-{trial}"
            run = self.client.create_run(
                self.experiment_id, start_time_ms, tags | {MLFLOW_RUN_NAME: name}, run_name=name
            )
            self._ids[trial] = run.info.run_id
        return self._ids[trial]

    def deliver(self, event: Event) -> None:
        """Apply an event; applying it twice changes nothing. Raises where the server cannot be reached."""
        try:
            self._apply(event)
        except MlflowException as error:
            if error.get_http_status_code() != BAD_REQUEST:
                raise
            self.refused.append(first_line(error))

    def _apply(self, event: Event) -> None:
        at = event["time_ms"]
        run_id = self.id_of(event["trial"], at)
        metrics = [Metric(name, value, at, event.get("step", 0)) for name, value in event.get("metrics", {}).items()]
        params = [Param(name, str(value)) for name, value in event.get("params", {}).items()]
        tags = [RunTag(name, str(value)) for name, value in event.get("tags", {}).items()]
        if metrics or params or tags:
            self.client.log_batch(run_id, metrics, params, tags)
        for artifact_path, local in event.get("artifacts", {}).items():
            if Path(local).is_dir():
                self.client.log_artifacts(run_id, local, artifact_path)
            elif Path(local).exists():
                self.client.log_artifact(run_id, local)
        status = event.get("status")
        if status == "RUNNING":
            self.client.update_run(run_id, status)
        elif status:
            self.client.set_terminated(run_id, status, at)


class Tracker(NotInSnapshot, Callback):
    """Turns what happens to trials into events; a `Spool` delivers them off the driver's critical path."""

    def __init__(self, spool: Spool, trial_tags: dict[str, str], will_restart: Callable[[int], bool]) -> None:
        self._spool = spool
        self._trial_tags = trial_tags
        self._will_restart = will_restart
        self._specs: dict[int, TrialSpec] = {}

    def on_trial_start(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any) -> None:
        """Create the run, with the method's whole config as its params; or go on with it."""
        spec = TrialSpec.model_validate(trial.config["spec"])
        before = self._specs.get(spec.number)
        self._specs[spec.number] = spec
        if before is None:
            params = spec.config | {"method": spec.method, "rounds": spec.rounds}
            of_trial = {"dataset": spec.protocol.dataset, "protocol": spec.protocol.sha256}
            self._put(trial, params=params, tags=self._trial_tags | of_trial, status="RUNNING")
        elif changed := perturbed(before, spec):  # MLflow's params cannot change
            tags = {f"perturbed.{name}": str(value) for name, value in changed.items()}
            metrics = {f"perturbed_{name}": value for name, value in changed.items()}
            self._put(trial, metrics=metrics, tags=tags, step=trial.last_result.get("round", 0))

    def on_trial_result(
        self, iteration: int, trials: list[RayTrial], trial: RayTrial, result: dict[str, Any], **info: Any
    ) -> None:
        """Log the metrics at their round; at the time of the report, so that a repeated report is the same."""
        at = {"time_ms": result[REPORTED]} if REPORTED in result else {}
        self._put(trial, metrics=numbers(result), step=result["round"], **at)

    def on_trial_complete(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any) -> None:
        """Log the pictures and the end of the trial."""
        self._end(trial, trial.last_result.get(FAILURE))

    def on_trial_error(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any) -> None:
        """Log the end of a trial whose process was lost for good."""
        if not self._will_restart(number_of(trial)):
            self._end(trial, PROCESS_LOST)

    def _end(self, trial: RayTrial, failure: str | None) -> None:
        self._put(trial, **end_of_trial(Path(trial.config["spec"]["folder"]), failure))

    def _put(self, trial: RayTrial, **event: Any) -> None:
        self._spool.put(trial_event(number_of(trial), **event))


def trial_event(number: int, **event: Any) -> Event:
    """An event of a trial, which happens now unless it says when."""
    return {"trial": trial_key(number), "time_ms": now_ms()} | event


def end_of_trial(folder: Path, failure: str | None) -> Event:
    """What the tracking server is told of a trial that has ended; `folder` is the trial's."""
    return {
        "artifacts": {"pictures": str(folder / "pictures"), "error": str(folder / "error.txt")},
        "tags": {FAILURE: failure} if failure else {},
        "status": "FAILED" if failure else "FINISHED",
    }


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)
