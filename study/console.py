"""What a study shows on the screen: a line per finished trial, tables at the end, the next commands."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from ray.tune import Callback
from ray.tune.experiment import Trial as RayTrial
from rich.console import Console as RichConsole

from search_spaces.space import spoken
from study.interruption import Interruption
from study.optuna_storage import FIRST_TRIAL, ranked
from study.plan import StudyPlan
from study.tables import claims_table, references_of, results_table, shown_metrics
from study.trials import FAILURE, PROCESS_LOST, NotInSnapshot, is_finite, number_of
from study.verdicts import Judged, counts, more_seeds_command, seeds_that_decide
from trainables.credentials import without_credentials
from trainables.files import absolute
from trainables.preparation import Preparations
from trainables.protocol import base_name

BEST_SHOWN = 5
STATES = {"complete": "finished", "pruned": "stopped early", "fail": "failed", "running": "unfinished"}


class Console:
    """Prints to standard output, in colour only where that is a terminal."""

    def __init__(self) -> None:
        self._console = RichConsole(highlight=False, width=None if sys.stdout.isatty() else 160)

    def print(self, text: str = "") -> None:
        """Print a line as it is."""
        self._console.print(text, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a warning."""
        self._console.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)

    def status(self, text: str) -> AbstractContextManager:
        """Print what is being done, with a spinner on a terminal."""
        self.print(f"{text} ...")
        return self._console.status(text)

    def print_preparation(self, plan: StudyPlan, preparations: Preparations) -> None:
        """Print the notes and the reference values of the preparation, and what will run."""
        for dataset, preparation in preparations.items():
            for note in preparation.notes:
                self.print(note)
            for name, value in references_of(preparation, {base_name(plan.objectives[0])}).items():
                self.print(f"{name}: {value:.4g}" if len(preparations) == 1 else f"{dataset}: {name}: {value:.4g}")
        self.print(f"study {plan.name}: {plan.trials} trials of {spoken(plan.budget)}, in {plan.folder.path}")

    def print_results(self, plan: StudyPlan, preparations: Preparations, study: optuna.Study) -> None:
        """Print the best trials, the first trials, and the best value beside its reference values."""
        trials = study.get_trials(deepcopy=False)
        finished = ranked(study)
        several = len(plan.objectives) > 1
        best = study.best_trials if several else finished[:BEST_SHOWN]
        title = "Pareto front" if several else "best"
        first = [t for t in trials if FIRST_TRIAL in t.user_attrs and t.state != TrialState.WAITING]
        shown = {trial.number: trial for trial in [*best, *first]}
        references: dict[str, float] = {}
        if len(preparations) == 1:
            (preparation,) = preparations.values()
            references = references_of(preparation, shown_metrics(preparation.protocol))
        title = f"study {plan.name}: {title}, then the first trials"
        self._console.print(results_table(plan, title, [*shown.values()], references))
        counts = Counter(trial.state.name.lower() for trial in trials if trial.state != TrialState.WAITING)
        self.print(", ".join(f"{number} {STATES[state]}" for state, number in sorted(counts.items())))
        objective = plan.objectives[0]
        if finished and not several:
            value = finished[0].values[0]
            for name, at in references.items():
                if name.startswith(f"{base_name(objective)}_") and at > 0:
                    self.print(f"best {objective} / {name}: {value:.4g} / {at:.4g} = {value / at:.3f}")

    def print_claims(self, plan: StudyPlan, judged: Sequence[Judged]) -> None:
        """Print a verdict on each of the document's claims, and what would decide those that are undecided."""
        if not judged:
            return
        self._console.print(claims_table(judged))
        each, holm = counts(judged).values()
        self.print("claims, each for itself: " + ", ".join(f"{number} {verdict}" for verdict, number in each.items()))
        self.print("claims, by Holm's correction: " + ", ".join(f"{n} {verdict}" for verdict, n in holm.items()))
        if late := sum(each.after_the_fact for each in judged):
            self.print(f"{late} claims were added or changed after the study had started: they are after the fact.")
        if more := seeds_that_decide(judged, plan.seeds):
            seeds, decided = more
            self.print(f"With {seeds} seeds, about {decided} more would be decided, if further runs are like these:")
            options = more_seeds_command(_shown(plan.folder.study_json), seeds, self._storage(plan))
            self.print(f"  {_shown(Path(sys.executable))} -m study.launch {options}")

    def print_next_steps(self, plan: StudyPlan, interruption: Interruption) -> None:
        """Print the exact commands that show the study and continue it."""
        python = Path(sys.executable)
        launch = f"  {_shown(python)} -m study.launch"
        storage = self._storage(plan)
        if interruption.received:
            self.print(f"\nStopped by {interruption.received.name}. Go on with:")
            self.print(f"{launch} {shlex.join(['--resume', plan.name, *storage])}")
            return
        self.print("\nLook at every trial in MLflow (then open http://127.0.0.1:5000):")
        if plan.config.tracking_uri is None:
            mlflow = _shown(python.parent / "mlflow")
            store = shlex.quote(plan.tracking_uri)
            self.print(f"  {mlflow} server --backend-store-uri {store} --host 127.0.0.1 --port 5000")
        else:
            self.print(f"  it is on the tracking server that you named, {without_credentials(plan.tracking_uri)}.")
        can_go_on = not plan.space.exhaustive
        self.print(f"Train the best settings again with other seeds{', or go on searching' if can_go_on else ''}:")
        self.print(f"{launch} {shlex.join(['--confirm', plan.name, '--top', '3', '--seeds', '5', *storage])}")
        if can_go_on:
            more = str(2 * plan.trials)
            self.print(f"{launch} {shlex.join(['--resume', plan.name, '--trials', more, *storage])}")

    @staticmethod
    def _storage(plan: StudyPlan) -> list[str]:
        return [] if plan.storage == absolute(Path("outputs")) else ["--storage-dir", str(plan.storage)]


class Progress(NotInSnapshot, Callback):
    """A line per finished trial: how many are done, its result, the best so far, the time left."""

    def __init__(
        self, console: Console, plan: StudyPlan, study: optuna.Study, will_restart: Callable[[int], bool]
    ) -> None:
        self._console = console
        self._plan = plan
        self._objective = plan.objectives[0]
        self._will_restart = will_restart
        self._started = time.monotonic()
        self._before = sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))
        self._done = 0
        best = ranked(study)[:1]
        self._best = (best[0].values[0], best[0].number) if best else None

    def on_trial_complete(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any) -> None:
        """A trial has ended by itself."""
        result = trial.last_result
        if FAILURE in result:
            self._line(trials, trial, f"failed: {result[FAILURE]}")
            return
        value, number = result.get(self._objective), number_of(trial)
        if not is_finite(value):
            self._line(trials, trial, f"failed: {self._objective} is {value}")
            return
        rounds = result["round"]
        if rounds < self._plan.rounds:
            self._line(trials, trial, f"{self._objective} {value:8.2f}, stopped at round {rounds}")
            return
        sign = 1 if self._plan.directions[0] == "minimize" else -1
        if self._best is None or sign * value < sign * self._best[0]:
            self._best = (value, number)
        self._line(trials, trial, f"{self._objective} {value:8.2f}")

    def on_trial_error(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any) -> None:
        """A trial's process was lost: the trial goes on elsewhere, or has failed."""
        if self._will_restart(number_of(trial)):
            self._console.warn(f"trial {number_of(trial)} lost its process or its node: it starts again")
            return
        self._line(trials, trial, f"failed: {PROCESS_LOST}")

    def _line(self, trials: list[RayTrial], trial: RayTrial, outcome: str) -> None:
        self._done += 1
        elapsed = time.monotonic() - self._started
        running = sum(other.status == RayTrial.RUNNING for other in trials if other is not trial)
        spent = self._done + running / 2  # what runs is on average half done
        done = self._before + self._done
        left = max(0.0, elapsed / spent * (self._plan.trials - self._before - spent))
        best = f"best {self._best[0]:.2f} (trial {self._best[1]})" if self._best else "no result yet"
        self._console.print(
            f"[{done:>3}/{self._plan.trials}] trial {number_of(trial):>3}  {outcome}  {best}  "
            f"{_duration(elapsed)} gone, about {_duration(left)} left"
        )


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _shown(path: Path) -> str:
    """A path as it is typed in the current folder."""
    return shlex.quote(os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path))
