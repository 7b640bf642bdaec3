"""Schedulers by name: which trials end early, and which go on from a better one. Time is the method's rounds.

A scheduler that stops trials knows a trial by its number in the study, not by Ray's name. So what a trial reported to
an earlier driver, or before its process was lost, still counts.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ray import tune
from ray.tune.experiment import Trial as RayTrial
from ray.tune.schedulers import (
    AsyncHyperBandScheduler,
    FIFOScheduler,
    MedianStoppingRule,
    PopulationBasedTraining,
    TrialScheduler,
)
from ray.tune.schedulers.pbt import _PBTTrialState

from search_spaces.space import GRACE
from study.scheduler_names import check_scheduler
from study.trials import is_finite, number_of
from trainables.errors import InputError
from trainables.exploit import EXPLOIT
from trainables.measures.base import Direction
from trainables.trial_spec import TrialSpec

TIME = "round"
REDUCTION = 3
"""One of this many trials goes on at a rung, and the next rung is at this many times the rounds."""

PERTURBATIONS = (0.8, 1.25)

History = Iterable[tuple[int, Mapping[int, float]]]
"""The number of a trial and the objective at each round that it has reported: ended trials and unfinished ones."""

Ranges = Mapping[str, tuple[float, float]]
"""Settings of the method with the lowest and the highest value that they may take."""


@dataclass(frozen=True)
class _Task:
    metric: str
    mode: Literal["min", "max"]
    rounds: int
    evaluate_every: int
    evaluate_at: Sequence[int]
    mutations: Ranges
    grace: float
    """The share of the budget that a trial may use before it can be stopped."""
    needed: float | None
    """The objective that a trial must have when it can be stopped."""

    def part(self, share: float) -> int:
        """A share of the budget, rounded up to a round after which trials are evaluated."""
        wanted = self.rounds * share
        further = [number for number in self.evaluate_at if number >= wanted]
        return min(self.rounds, math.ceil(wanted / self.evaluate_every) * self.evaluate_every, *further)


def make_scheduler(
    name: str,
    objective: str | Sequence[str],
    direction: Direction,
    rounds: int,
    evaluate_every: int,
    history: History = (),
    mutations: Ranges | None = None,
    evaluate_at: Sequence[int] = (),
    grace: float = GRACE,
    spared: Container[int] = (),
    needed: float | None = None,
) -> TrialScheduler:
    """The scheduler `name` for trials of at most `rounds` rounds that report every `evaluate_every` rounds.

    They also report after the rounds `evaluate_at`. `history` is what trials have reported to earlier drivers of the
    study; "asha", "hyperband" and "median" go on from it. `mutations` are the settings that "pbt" perturbs. "asha" and
    "median" stop no trial before the share `grace` of its budget, and none whose number is `spared`; "asha" then stops
    each one that is worse than `needed`. Raises `InputError` as `check_scheduler` does, and for "pbt" without
    `mutations`.
    """
    objectives = [objective] if isinstance(objective, str) else list(objective)
    check_scheduler(name, len(objectives))
    mode: Literal["min", "max"] = "min" if direction == "minimize" else "max"
    task = _Task(objectives[0], mode, rounds, evaluate_every, evaluate_at, mutations or {}, grace, needed)
    scheduler = MAKERS[name](task)
    if isinstance(scheduler, _ByNumber):
        scheduler.spared = spared
        scheduler.replay(history)
    return scheduler


def perturbed(old: TrialSpec, new: TrialSpec) -> dict[str, float]:
    """The settings of the method that population based training has changed, with their new values."""
    return {name: value for name, value in new.config.items() if old.config.get(name) != value}


@dataclass(frozen=True)
class _Numbered:
    """Stands in for Ray's trial: equal to every other Ray trial of the same number."""

    number: int

    @property
    def trial_id(self) -> str:
        """The key that Ray's schedulers remember a trial by."""
        return str(self.number)


class InOrder(FIFOScheduler):
    """Stops no trial, and starts trials in the order of their numbers."""

    def choose_trial_to_run(self, tune_controller: Any) -> RayTrial | None:
        """The trial that waits and has the lowest number; Ray's own would look through all that have ended, too."""
        waiting = [trial for trial in tune_controller.get_live_trials() if trial.status == RayTrial.PENDING]
        return min(waiting, key=number_of, default=None)


class _ByNumber(InOrder):
    """A mixin before one of Ray's schedulers that stop trials.

    The scheduler hears each round of a trial once, and only results with a finite objective: the last result of a
    failed trial has none, and Ray would raise.
    """

    _metric: str

    def __init__(self, task: _Task, **settings: Any) -> None:
        settings |= {"time_attr": TIME, "metric": task.metric, "mode": task.mode}
        super().__init__(**settings)
        self._rounds_heard: dict[_Numbered, int] = {}
        self.spared: Container[int] = ()
        """Numbers of trials that are not heard: they train to their end."""

    @property
    def metric(self) -> None:
        """None: Ray would refuse results without it."""
        return None

    def replay(self, history: History) -> None:
        """Hear again what trials have reported to earlier drivers."""
        for number, values in history:
            trial = _Numbered(number)
            self._enter(None, trial)
            for time, value in sorted(values.items()):
                self._listen(None, trial, {TIME: time, self._metric: value})

    def on_trial_add(self, tune_controller: Any, trial: RayTrial) -> None:
        """A new trial, or one that starts again."""
        self._enter(tune_controller, _numbered(trial))

    def on_trial_result(self, tune_controller: Any, trial: RayTrial, result: dict[str, Any]) -> str:
        """Whether the trial goes on."""
        return self._listen(tune_controller, _numbered(trial), result)

    def on_trial_complete(self, tune_controller: Any, trial: RayTrial, result: dict[str, Any]) -> None:
        """The last result. Ray has shown it before only if the scheduler stopped the trial."""
        self._listen(tune_controller, _numbered(trial), result)

    def on_trial_remove(self, tune_controller: Any, trial: RayTrial) -> None:
        """Do nothing: what the trial has reported still counts."""

    def _enter(self, tune_controller: Any, trial: Any) -> None:
        super().on_trial_add(tune_controller, trial)

    def _listen(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        return TrialScheduler.CONTINUE if trial.number in self.spared else self._hear(tune_controller, trial, result)

    def _hear(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if not is_finite(result.get(self._metric)) or result[TIME] <= self._rounds_heard.get(trial, -1):
            return TrialScheduler.CONTINUE
        self._rounds_heard[trial] = result[TIME]
        return super().on_trial_result(tune_controller, trial, result)


class SuccessiveHalving(_ByNumber, AsyncHyperBandScheduler):
    """Asynchronous successive halving (Li et al. 2018, arXiv:1810.05934), and with several brackets Hyperband.

    A trial ends at a rung unless it is among the best third of the trials that have reached the rung so far. The first
    trials meet few others there; so a trial also ends at a later evaluation, when others have overtaken it at the last
    rung that it has reached. A trial whose last result is the best of all goes on.
    The first rung is where the space says (`Scale.grace`), Hyperband's is at a ninth; the others are at 3, 9, ... times
    its rounds. Bracket s begins s rungs later; the last bracket never stops a trial. The bracket follows from the
    trial's number, in Hyperband's proportions (Li et al. 2017, arXiv:1603.06560, algorithm 1).
    """

    def __init__(self, task: _Task, brackets: int = 1) -> None:
        grace = task.part(task.grace if brackets == 1 else 1 / REDUCTION**2)
        self._needed = task.needed if brackets == 1 else None
        self._needed_from = grace
        self._best = -math.inf
        """The best result so far, to be maximised."""
        super().__init__(
            task,
            max_t=task.rounds,
            grace_period=grace,
            reduction_factor=REDUCTION,
            brackets=brackets,
        )

    def _enter(self, tune_controller: Any, trial: Any) -> None:
        sizes = np.array([len(bracket._rungs) for bracket in self._brackets])
        shares = REDUCTION**sizes / (sizes + 1)
        chosen = np.random.default_rng(trial.number).choice(len(sizes), p=shares / shares.sum())
        self._trial_info[trial.trial_id] = self._brackets[chosen]

    def _hear(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        action = super()._hear(tune_controller, trial, result)
        sign = 1 if self._mode == "max" else -1
        maximised = sign * result[self._metric] if is_finite(result.get(self._metric)) else -math.inf
        self._best = max(self._best, maximised)
        is_behind = maximised < self._best and (action == TrialScheduler.STOP or self._is_overtaken(trial.trial_id))
        return TrialScheduler.STOP if is_behind or self._is_hopeless(result) else TrialScheduler.CONTINUE

    def _is_hopeless(self, result: dict[str, Any]) -> bool:
        """Whether the trial is worse than what is needed from the first rung on."""
        value = result.get(self._metric)
        if self._needed is None or result[TIME] < self._needed_from or not is_finite(value):
            return False
        return value > self._needed if self._mode == "min" else value < self._needed

    def _is_overtaken(self, key: str) -> bool:
        """Whether the last rung that the trial has reached has filled up, and it would not pass it any more.

        What it was at earlier rungs says less: it has gone on since. Ray keeps values to be maximised.
        """
        last_first = self._trial_info[key]._rungs
        values: dict[str, float] = next((values for _, values in last_first if key in values), {})
        others = [value for other, value in values.items() if other != key]
        return len(values) >= REDUCTION and values[key] < float(np.percentile(others, 100 - 100 / REDUCTION))


class MedianStopping(_ByNumber, MedianStoppingRule):
    """Ends a trial whose best value is worse than the median of the others' running means (Golovin et al. 2017)."""

    def __init__(self, task: _Task) -> None:
        super().__init__(task, grace_period=task.part(task.grace), min_samples_required=3)

    def _hear(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        self._stopped_trials.discard(trial)  # it reports, so it goes on: a replay has other medians and may stop it
        return super()._hear(tune_controller, trial, result)

    def _on_insufficient_samples(self, tune_controller: Any, trial: Any, time: float) -> str:
        """Go on. Ray's own rule would pause the trial in favour of waiting trials."""
        return TrialScheduler.CONTINUE


class PopulationBased(PopulationBasedTraining):
    """Population based training (Jaderberg et al. 2017, arXiv:1711.09846) that begins with Optuna's suggestions.

    Ray's own class refuses a searcher. A trial of the worst quarter goes on from a checkpoint of a trial of the best
    quarter, with the `mutations` of that trial, each times 0.8 or 1.25 and within its range; 0, a term that is off,
    stays 0. The trial keeps its number, its folder and its other settings. No trial ends early.
    """

    def __init__(self, task: _Task) -> None:
        if not task.mutations:
            raise InputError("scheduler 'pbt' has nothing to perturb: the space names no continuous settings.")
        super().__init__(
            time_attr=TIME,
            metric=task.metric,
            mode=task.mode,
            perturbation_interval=task.part(1 / REDUCTION**2),
            hyperparam_mutations={
                "spec": {"config": {name: tune.uniform(*ends) for name, ends in task.mutations.items()}}
            },
            log_config=False,
            require_attrs=False,
        )
        self._ranges = dict(task.mutations)

    @property
    def metric(self) -> None:
        """None: Ray would refuse results without it."""
        return None

    def on_trial_add(self, tune_controller: Any, trial: RayTrial) -> None:
        """A new trial, or one that starts again, with the settings that it had when its process or the driver ended."""
        if trial in self._trial_state:
            return
        self._trial_state[trial] = _PBTTrialState(trial)
        settings = trial.config["spec"]["config"]
        if unknown := sorted(self._ranges.keys() - settings.keys()):
            raise InputError(f"scheduler 'pbt' cannot perturb {unknown[0]!r}: the method has no such setting.")
        record = Path(trial.config["spec"]["folder"], EXPLOIT)
        if record.exists():
            known = json.loads(record.read_text())["config"]
            trial.set_config(_with_settings(trial, {name: known[name] for name in self._ranges}))

    def _get_new_config(self, trial: RayTrial, trial_to_clone: RayTrial) -> tuple[dict, dict]:
        settings = trial_to_clone.config["spec"]["config"]
        changes = {name: _perturb(settings[name], *ends) for name, ends in self._ranges.items()}
        return _with_settings(trial, changes), {}


def _perturb(value: float, low: float, high: float) -> float:
    return min(max(value * random.choice(PERTURBATIONS), low), high) if value else value


def _with_settings(trial: RayTrial, changes: dict[str, float]) -> dict[str, Any]:
    spec = trial.config["spec"]
    return {"spec": spec | {"config": spec["config"] | changes}}


def _numbered(trial: RayTrial) -> _Numbered:
    return _Numbered(number_of(trial))


def _hyperband(task: _Task) -> TrialScheduler:
    """Asynchronous Hyperband: several brackets of successive halving.

    Ray's synchronous Hyperband does not fit. It pauses trials until a bracket is full; paused trials count among those
    that may run at once, so a bracket would wait for ever. Trials that it ends while they are paused have no result and
    would count as lost. It halves at rounds at which nothing is evaluated. A resumed study could not restore it.
    """
    halvings = 0
    while task.part(1 / REDUCTION**2) * REDUCTION**halvings < task.rounds:
        halvings += 1
    return SuccessiveHalving(task, brackets=halvings + 1)


MAKERS: dict[str, Callable[[_Task], TrialScheduler]] = {
    "asha": SuccessiveHalving,
    "hyperband": _hyperband,
    "median": MedianStopping,
    "pbt": PopulationBased,
    "none": lambda task: InOrder(),
}
