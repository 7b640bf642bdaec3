"""What a study shows on the screen: a line per finished trial, tables at the end, the next commands."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from ray.tune import Callback
from ray.tune.experiment import Trial as RayTrial
from rich.console import Console as RichConsole
from rich.table import Table

from search_spaces.space import spoken
from study.claims import Trials, judge
from study.interruption import Interruption
from study.optuna_storage import FIRST_TRIAL, METRICS, ranked
from study.plan import StudyPlan
from study.tables import claims_table, references_of, results_table, shown_metrics
from study.trials import FAILURE, PROCESS_LOST, NotInSnapshot, budget_of, is_finite, number_of
from trainables.credentials import without_credentials
from trainables.files import absolute
from trainables.preparation import Preparations
from trainables.protocol import base_name
from trainables.repetitions import PER_SEED

BEST_SHOWN = 5
STATES = {"complete": "finished", "pruned": "stopped early", "fail": "failed", "running": "unfinished"}


class Console:
    """Prints to standard output, in colour only where that is a terminal."""

    def __init__(self) -> None:
        self._console = RichConsole(highlight=False, width=None if sys.stdout.isatty() else 160)
        self.tables: list[Table] = []
        """The tables that were printed."""

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
        self.tables.append(results_table(plan, title, [*shown.values()], references))
        self._console.print(self.tables[-1])
        counts = Counter(trial.state.name.lower() for trial in trials if trial.state != TrialState.WAITING)
        self.print(", ".join(f"{number} {STATES[state]}" for state, number in sorted(counts.items())))
        objective = plan.objectives[0]
        if finished and not several:
            value = finished[0].values[0]
            for name, at in references.items():
                if name.startswith(f"{base_name(objective)}_") and at > 0:
                    self.print(f"best {objective} / {name}: {value:.4g} / {at:.4g} = {value / at:.3f}")

    def print_claims(self, plan: StudyPlan, study: optuna.Study) -> None:
        """Print a verdict on each of the document's claims."""
        if not plan.claims:
            return
        measured = next(iter(plan.protocols.values())).metrics()
        outcomes = []
        for claim in plan.claims:
            metric = measured.get(base_name(claim.metric))
            outcomes.append(judge(claim, _ended(study), metric.direction if metric else None))
        self.tables.append(claims_table(outcomes))
        self._console.print(self.tables[-1])
        counts = Counter(outcome.verdict for outcome in outcomes)
        self.print("claims: " + ", ".join(f"{counts[v]} {v}" for v in ("supported", "contradicted", "undecided")))

    def print_next_steps(self, plan: StudyPlan, interruption: Interruption, pages: Mapping[str, str]) -> None:
        """Print the exact commands that show the study and continue it; `pages` are addresses in MLflow."""
        commands = {name: f"  {command}" for name, command in next_commands(plan, _shown(Path(sys.executable))).items()}
        if interruption.received:
            self.print(f"\nStopped by {interruption.received.name}. Go on with:")
            self.print(commands["resume"])
            return
        self.print("\nLook at every trial in MLflow:")
        if plan.config.tracking_uri is None:
            self.print(commands["ui"])
        else:
            self.print(f"  it is on the tracking server that you named, {without_credentials(plan.tracking_uri)}.")
        for what, url in pages.items():
            self.print(f"  {what}: {url}")
        can_go_on = "extend" in commands
        self.print(f"Train the best settings again with other seeds{', or go on searching' if can_go_on else ''}:")
        self.print(commands["confirm"])
        if can_go_on:
            self.print(commands["extend"])


def next_commands(plan: StudyPlan, python: str = "python") -> dict[str, str]:
    """The commands that show, resume, confirm and, where something is searched, extend a study."""
    storage = [] if plan.storage == absolute(Path("outputs")) else ["--storage-dir", str(plan.storage)]

    def command(module: str, *arguments: str) -> str:
        return f"{python} -m {module} {shlex.join([*arguments, *storage])}"

    commands = {
        "ui": f"{command('study.ui', plan.name)} --open",
        "resume": command("study.launch", "--resume", plan.name),
        "confirm": command("study.launch", "--confirm", plan.name, "--top", "3", "--seeds", "5"),
    }
    if not plan.space.exhaustive:
        commands["extend"] = command("study.launch", "--resume", plan.name, "--trials", str(2 * plan.trials))
    return commands


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
        if rounds < budget_of(trial):
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


def _ended(study: optuna.Study) -> Trials:
    """The last metrics of each seed. A failed trial counts as one failed seed: nothing is known about its others.

    A trial whose process was killed is left out: that says nothing about its settings.
    """
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    return [
        *((t.params, t.user_attrs.get(PER_SEED) or [t.user_attrs.get(METRICS, {})]) for t in finished),
        *((t.params, [None]) for t in failed if t.user_attrs.get(FAILURE) != PROCESS_LOST),
    ]


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _shown(path: Path) -> str:
    """A path as it is typed in the current folder."""
    return shlex.quote(os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path))
