"""Ends a study at its limits: Ray's Stopper, and the searcher's answer to whether another trial may start."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import TrialState
from ray.tune import Stopper

from study.limits import Limits
from study.optuna_storage import METRICS, numbered, trained
from study.spending import Spending
from study.trials import NotInSnapshot

POLL_SECONDS = 1.0


@dataclass
class _Running:
    """A trial that runs: its start here and its last report, in seconds of `now`, and what was left of its rounds."""

    number: int
    started: float
    reported: float
    share: float


class Limiter(NotInSnapshot, Stopper):
    """Keeps a study within its `Limits`.

    No trial starts that would not end in time; how long a trial takes is the median of those that have ended. One that
    runs is paused at the report after which it would not get to another one: it has just left a checkpoint. What
    still runs when the time is over is ended there, and loses what it has done since its checkpoint. When a trial
    has reached the goal, it trains to its end, so that it is ranked, and the others are paused.
    """

    def __init__(
        self,
        limits: Limits,
        study: optuna.Study,
        spending: Spending,
        rounds: int,
        gpus: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._limits = limits
        self._study = study
        self._spending = spending
        self._rounds = rounds
        self._gpus = gpus
        self._now = now
        self._running: dict[str, _Running] = {}
        self._reached = self._have_reached()
        self._polled = -POLL_SECONDS
        self.paused: set[str] = set()
        """Ray's ids of the trials that were paused, until the searcher has heard of it."""
        self.before_end: Callable[[], None] = lambda: None
        """Called before the trials that still run are ended."""
        self.has_limited = False
        """Whether a trial was not started, was paused or was ended."""

    def may_start(self, trial: optuna.Trial | None = None) -> bool:
        """Whether a trial may start: `trial`, which goes on, or a new one."""
        allowed = self._may_start(1.0 if trial is None else self._left_of(trial))
        self.has_limited |= not allowed
        return allowed

    def begin(self, trial_id: str, trial: optuna.Trial) -> None:
        """A trial starts."""
        self._running[trial_id] = _Running(trial.number, self._now(), self._now(), self._left_of(trial))

    def end(self, trial_id: str) -> None:
        """A trial has ended."""
        self._running.pop(trial_id, None)

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether Ray ends the trial at this result: it is paused. A trial that is done is not."""
        running = self._running[trial_id]
        interval, running.reported = self._now() - running.reported, self._now()
        goal = self._limits.goal
        if goal is not None and goal.is_reached(result.get(goal.metric)):
            self._reached.add(running.number)
        if result.get("done") or (self._enough(interval) and not self._reached - {running.number}):
            return False
        self.paused.add(trial_id)
        self.end(trial_id)
        self.has_limited = True
        return True

    def stop_all(self) -> bool:
        """Whether everything is over."""
        if not self._limits.are_budgets or self._now() - self._polled < POLL_SECONDS:
            return False
        self._polled = self._now()
        if self._seconds_left() > 0 and self._gpu_seconds_left() > 0:
            return False
        self.has_limited |= bool(self._running)
        self.before_end()
        return True

    @property
    def reason(self) -> str:
        """Why the study has ended before its trials, for a sentence."""
        if self._reached and self._limits.goal is not None:
            numbers = ", ".join(map(str, sorted(self._reached)))
            return f"the goal {self._limits.goal.metric}={self._limits.goal.value:g} is reached (trial {numbers})"
        budgets = [] if self._limits.time is None else [f"the time budget of {self._limits.time}"]
        budgets += [] if self._limits.gpu_hours is None else [f"the budget of {self._limits.gpu_hours:g} GPU hours"]
        return f"{' or '.join(budgets)} leaves no room for another trial"

    def _may_start(self, share: float) -> bool:
        if self._reached:
            return False
        if not self._limits.are_budgets:
            return True
        needed = self._estimate() * share
        others = [self._estimate() * run.share - (self._now() - run.started) for run in self._running.values()]
        left = self._gpu_seconds_left() - self._gpus * sum(max(0.0, seconds) for seconds in others)
        return self._seconds_left() > needed and left > self._gpus * needed

    def _enough(self, interval: float) -> bool:
        """Whether the trials that run get to another report, `interval` seconds from now."""
        at_once = interval * self._gpus * len(self._running)
        return self._seconds_left() >= interval and self._gpu_seconds_left() >= at_once

    def _seconds_left(self) -> float:
        return float("inf") if self._limits.seconds is None else self._limits.seconds - self._spending.seconds()

    def _gpu_seconds_left(self) -> float:
        if self._limits.gpu_hours is None:
            return float("inf")
        return (self._limits.gpu_hours - self._spending.of_study().get("gpu_hours", 0.0)) * 3600

    def _estimate(self) -> float:
        """The seconds of a trial that uses its whole budget, by those that have ended; 0 before there is one."""
        whole = []
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)):
            rounds = trial.user_attrs.get(METRICS, {}).get("round", 0)
            seconds = self._spending.held(trial)
            if seconds and rounds:
                whole.append(seconds if trial.state == TrialState.COMPLETE else seconds * self._rounds / rounds)
        return statistics.median(whole) if whole else 0.0

    def _left_of(self, trial: optuna.Trial) -> float:
        """The share of its rounds that a trial has still to train."""
        known = numbered(self._study, trial.number).intermediate_values
        return max(0.0, 1 - max(known, default=0) / self._rounds)

    def _have_reached(self) -> set[int]:
        """The trials of earlier drivers that have reached the goal."""
        goal = self._limits.goal
        trials = [] if goal is None else trained(self._study)
        return {t.number for t in trials if goal and goal.is_reached(t.user_attrs.get(METRICS, {}).get(goal.metric))}
