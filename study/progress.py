"""What a study shows while it runs: a line per finished trial and, on a terminal, the trials that are running."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import optuna
from ray.tune import Callback
from ray.tune.experiment import Trial as RayTrial
from rich.text import Text

from study.console import Console
from study.constraints import broken
from study.optuna_storage import ranked, trained
from study.plan import StudyPlan
from study.revival import revived
from study.trials import FAILURE, PROCESS_LOST, NotInSnapshot, budget_of, is_finite, number_of, numbers

RUNNING_SHOWN = 8
"""Running trials of which the live view has a line."""


class Progress(NotInSnapshot, Callback):
    """A line per finished trial: how many are done, its result, the best so far, the time left.

    `view` shows the same of the trials that are running.
    """

    def __init__(self, console: Console, plan: StudyPlan, study: optuna.Study, goes_on: Callable[[int], bool]) -> None:
        self._console = console
        self._plan = plan
        self._objective = plan.objectives[0]
        self._goes_on = goes_on
        self._started = time.monotonic()
        self._before = sum(trial.state.is_finished() for trial in trained(study))
        self._trials = plan.trials + len(revived(study))
        self._done = 0
        self._running: dict[int, tuple[int, int, float | None]] = {}
        """Of each trial that is running: its last round, the rounds of its budget, and its objective then."""
        best = ranked(study)[:1]
        self._best = (best[0].values[0], best[0].number) if best else None

    def view(self) -> Text:
        """Running trials with their objective now, the best so far, the time left."""
        running = sorted(self._running.copy().items())
        lines = [self._of_running(number, *at) for number, at in running[:RUNNING_SHOWN]]
        if len(running) > RUNNING_SHOWN:
            lines.append(f"  and {len(running) - RUNNING_SHOWN} more")
        done = f"{self._before + self._done} of {self._trials} trials done"
        lines.append(f"{done}, {self._best_so_far()}, {self._times(len(running))}")
        return Text("\n".join(lines), style="cyan", no_wrap=True, overflow="ellipsis")

    def on_trial_start(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any) -> None:
        """A trial begins, or goes on."""
        self._running.setdefault(number_of(trial), (0, budget_of(trial), None))

    def on_trial_result(
        self, iteration: int, trials: list[RayTrial], trial: RayTrial, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial has been evaluated."""
        value = result.get(self._objective)
        at = result.get("round", 0)
        self._running[number_of(trial)] = (at, budget_of(trial), value if is_finite(value) else None)

    def on_trial_complete(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any) -> None:
        """A trial has ended by itself, or was paused."""
        self._running.pop(number_of(trial), None)
        result = trial.last_result
        if self._goes_on(number_of(trial)):
            self._console.print(f"trial {number_of(trial):>3}  paused at round {result['round']}")
            return
        if FAILURE in result:
            self._line(trial, f"failed: {result[FAILURE]}")
            return
        value, number = result.get(self._objective), number_of(trial)
        if not is_finite(value):
            self._line(trial, f"failed: {self._objective} is {value}")
            return
        rounds = result["round"]
        if rounds < budget_of(trial):
            self._line(trial, f"{self._objective} {value:8.2f}, stopped at round {rounds}")
            return
        if unkept := broken(self._plan.constraints, numbers(result)):
            self._line(trial, f"{self._objective} {value:8.2f}, infeasible: {', '.join(unkept)}")
            return
        sign = 1 if self._plan.directions[0] == "minimize" else -1
        if self._best is None or sign * value < sign * self._best[0]:
            self._best = (value, number)
        self._line(trial, f"{self._objective} {value:8.2f}")

    def on_trial_error(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any) -> None:
        """A trial's process was lost: the trial goes on elsewhere, or has failed."""
        self._running.pop(number_of(trial), None)
        if self._goes_on(number_of(trial)):
            self._console.warn(f"trial {number_of(trial)} lost its process or its node: it starts again")
            return
        self._line(trial, f"failed: {PROCESS_LOST}")

    def _line(self, trial: RayTrial, outcome: str) -> None:
        self._done += 1
        self._console.print(
            f"[{self._before + self._done:>3}/{self._trials}] trial {number_of(trial):>3}  {outcome}  "
            f"{self._best_so_far()}  {self._times(len(self._running))}"
        )

    def _of_running(self, number: int, round_number: int, budget: int, value: float | None) -> str:
        objective = "not evaluated yet" if value is None else f"{self._objective} {value:.2f}"
        return f"  trial {number:>3}  round {round_number} of {budget}  {objective}"

    def _best_so_far(self) -> str:
        return f"best {self._best[0]:.2f} (trial {self._best[1]})" if self._best else "no result yet"

    def _times(self, running: int) -> str:
        """How long it has taken, and how long the rest will take; `running` trials are under way."""
        elapsed = time.monotonic() - self._started
        if not self._done:
            return f"{_duration(elapsed)} gone"
        spent = self._done + running / 2  # what runs is on average half done
        left = max(0.0, elapsed / spent * (self._trials - self._before - spent))
        return f"{_duration(elapsed)} gone, about {_duration(left)} left"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
