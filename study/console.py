"""What a study shows on the screen: what is prepared, tables at the end, the next commands."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import optuna
from optuna.trial import TrialState
from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.live import Live
from rich.table import Table

from search_spaces.space import spoken
from study.fitting import fitted
from study.interruption import Interruption
from study.optuna_storage import FIRST_TRIAL, INHERITED, best_inherited, is_feasible, ranked, trained
from study.plan import StudyPlan
from study.tables import claims_table, published_table, references_of, results_table, settings_table, shown_metrics
from study.verdicts import Judged, counts, more_seeds_command, seeds_that_decide
from trainables.command_line import leave_standard_output
from trainables.credentials import without_credentials
from trainables.files import absolute
from trainables.preparation import Preparations
from trainables.protocol import base_name

BEST_SHOWN = 5
REFRESHES = 2
"""Of the live view, in a second."""
STATES = {"complete": "finished", "pruned": "stopped early", "fail": "failed", "running": "unfinished"}


class Screen(RichConsole):
    """Standard output. A study goes on when nobody reads it any more, as when `| tee FILE` was ended."""

    def on_broken_pipe(self) -> None:
        """Print nothing more."""
        self.quiet = True
        leave_standard_output()


class Console:
    """Prints to standard output, in colour only where that is a terminal."""

    def __init__(self) -> None:
        self._console = Screen(highlight=False, width=None if sys.stdout.isatty() else 160)
        self.tables: list[Table] = []
        """The tables that were printed."""

    def live(self, show: Callable[[], RenderableType]) -> AbstractContextManager:
        """On a terminal, keep what `show` returns below the lines that are printed meanwhile; else nothing."""
        if not self._console.is_terminal:
            return nullcontext()
        # What trials print comes by standard output and error, which the view must not cut in two.
        return Live(console=self._console, get_renderable=show, refresh_per_second=REFRESHES, transient=True)

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
        for note in plan.earlier.notes:
            self.print(note)
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
        rows = [*shown.values()]
        self._show(results_table(plan, title, rows, references))
        self._show(published_table(plan, rows))
        self._show(settings_table(plan, rows))
        own = [trial for trial in trained(study) if trial.state != TrialState.WAITING]
        counts = Counter(trial.state.name.lower() for trial in own)
        self.print(", ".join(f"{number} {STATES[state]}" for state, number in sorted(counts.items())))
        if infeasible := [trial.number for trial in own if not is_feasible(trial)]:
            self.print(f"infeasible, and not ranked: trials {', '.join(map(str, infeasible))}")
        if (better := best_inherited(study)) is not None:
            whose = better.user_attrs[INHERITED]
            self.print(f"A study before this one has a better trial, {whose}: {better.values[0]:.4g}")
        objective = plan.objectives[0]
        if finished and not several:
            value = finished[0].values[0]
            for name, at in references.items():
                if name.startswith(f"{base_name(objective)}_") and at > 0:
                    self.print(f"best {objective} / {name}: {value:.4g} / {at:.4g} = {value / at:.3f}")

    def _show(self, table: Table) -> None:
        """Print the columns of a table that fit, and say where the others are; nothing where it has no row."""
        if not table.row_count:
            return
        self.tables.append(table)
        shown, left_out = fitted(table, self._console.width)
        self._console.print(shown)
        if left_out:
            self.print(f"no room here for {', '.join(left_out)}: the study's note in MLflow has all columns\n")

    def print_claims(self, plan: StudyPlan, judged: Sequence[Judged]) -> None:
        """Print a verdict on each of the document's claims, and what would decide those that are undecided."""
        if not judged:
            return
        self._show(claims_table(judged))
        each, holm = counts(judged).values()
        self.print("claims, each for itself: " + ", ".join(f"{number} {verdict}" for verdict, number in each.items()))
        self.print("claims, by Holm's correction: " + ", ".join(f"{n} {verdict}" for verdict, n in holm.items()))
        if late := sum(each.after_the_fact for each in judged):
            self.print(f"{late} claims were added or changed after the study had started: they are after the fact.")
        if more := seeds_that_decide(judged, plan.seeds):
            seeds, decided = more
            self.print(f"With {seeds} seeds, about {decided} more would be decided, if further runs are like these:")
            options = more_seeds_command(_shown(plan.folder.study_json), seeds, _storage(plan))
            self.print(f"  {_shown(Path(sys.executable))} -m study.launch {options}")

    def print_next_steps(
        self, plan: StudyPlan, interruption: Interruption, limited: str | None, pages: Mapping[str, str]
    ) -> None:
        """Print the exact commands that show the study and continue it; `pages` are addresses in MLflow.

        `limited` says why the study ended before its trials were done.
        """
        commands = {name: f"  {command}" for name, command in next_commands(plan, _shown(Path(sys.executable))).items()}
        if interruption.received:
            self.print(f"\nStopped by {interruption.received.name}. Go on with:")
            self.print(commands["resume"])
            return
        if limited is not None:
            self.print(f"\nThe study ends before its {plan.trials} trials: {limited}. Go on, with higher limits:")
            self.print(commands["resume"])
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

    def command(module: str, *arguments: str) -> str:
        return f"{python} -m {module} {shlex.join([*arguments, *_storage(plan)])}"

    commands = {
        "ui": f"{command('study.ui', plan.name)} --open",
        "resume": command("study.launch", "--resume", plan.name),
        "confirm": command("study.launch", "--confirm", plan.name, "--top", "3", "--seeds", "5"),
    }
    if not plan.space.exhaustive:
        commands["extend"] = command("study.launch", "--resume", plan.name, "--trials", str(2 * plan.trials))
    return commands


def _storage(plan: StudyPlan) -> list[str]:
    return [] if plan.storage == absolute(Path("outputs")) else ["--storage-dir", str(plan.storage)]


def _shown(path: Path) -> str:
    """A path as it is typed in the current folder."""
    return shlex.quote(os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path))
