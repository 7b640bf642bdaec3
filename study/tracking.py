"""Ray's callbacks -> events for MLflow. The driver is the only writer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial as RayTrial

from study import events
from study.constraints import Constraint, broken
from study.schedulers import perturbed
from study.spool import Spool
from study.trials import FAILURE, PROCESS_LOST, NotInSnapshot, number_of, numbers
from trainables.repetitions import PER_SEED
from trainables.trial_spec import TrialSpec


class Tracker(NotInSnapshot, Callback):
    """Turns what happens to trials into events; a `Spool` delivers them off the driver's critical path."""

    def __init__(
        self,
        spool: Spool,
        study_tags: dict[str, str],
        goes_on: Callable[[int], bool],
        hours: Callable[[int], dict[str, float]],
        constraints: Sequence[Constraint],
    ) -> None:
        self._spool = spool
        self._study_tags = study_tags
        self._goes_on = goes_on
        self._hours = hours
        self._constraints = constraints
        self._specs: dict[int, TrialSpec] = {}

    def on_trial_start(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any) -> None:
        """The trial begins, or goes on: after its process was lost, or with settings that were perturbed."""
        spec = TrialSpec.model_validate(trial.config["spec"])
        before = self._specs.get(spec.number)
        self._specs[spec.number] = spec
        if before is None:
            self._spool.put(events.trial_started(spec, self._study_tags))
        elif changed := perturbed(before, spec):
            self._spool.put(events.trial_perturbed(spec.number, changed, trial.last_result.get("round", 0)))

    def on_trial_result(
        self, iteration: int, trials: list[RayTrial], trial: RayTrial, result: dict[str, Any], **info: Any
    ) -> None:
        """The trial has been evaluated."""
        self._spool.put(events.trial_reported(self._specs[number_of(trial)], result))

    def on_trial_complete(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any) -> None:
        """The trial has ended, or was paused."""
        if self._goes_on(number_of(trial)):
            self._spool.put(events.trial_event(number_of(trial), status="KILLED"))
            return
        if PER_SEED in trial.last_result:
            events.keep_per_seed(Path(trial.config["spec"]["folder"]), trial.last_result[PER_SEED])
        self._end(trial, trial.last_result.get(FAILURE))

    def on_trial_error(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any) -> None:
        """The trial's process was lost; if for good, the trial has ended."""
        if not self._goes_on(number_of(trial)):
            self._end(trial, PROCESS_LOST)

    def _end(self, trial: RayTrial, failure: str | None) -> None:
        number, folder = number_of(trial), Path(trial.config["spec"]["folder"])
        at = trial.last_result.get("round", 0)
        infeasible = [] if failure else broken(self._constraints, numbers(trial.last_result))
        self._spool.put(events.trial_ended(number, folder, failure, self._hours(number), at, infeasible))
