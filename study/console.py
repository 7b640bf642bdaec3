"""What a study shows on the screen: a line per finished trial, tables at the end, the next commands."""

from __future__ import annotations

import os
import shlex
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import optuna
import rich.box
from optuna.trial import FixedTrial, FrozenTrial, TrialState
from ray.tune import Callback
from ray.tune.experiment import Trial as RayTrial
from rich.console import Console as RichConsole
from rich.table import Table

from study.plan import StudyPlan
from study.results import FAILURE
from study.searcher import FIRST_TRIAL, METRICS
from study.snapshot import NotInSnapshot
from trainables.metrics.names import direction
from trainables.preparation import Preparation

BEST_SHOWN = 5
SHOWN_METRICS = ("is_lenet_best", "auroc_best", "inner_updates", "seconds_training")


class Console:
    """Prints to standard output, in colour only where that is a terminal."""

    def __init__(self) -> None:
        self._console = RichConsole(highlight=False, width=None if sys.stdout.isatty() else 160)

    def print(self, text: str = "") -> None:
        """Print a line as it is."""
        self._console.print(text, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a line that should not be missed."""
        self._console.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)

    def status(self, text: str) -> AbstractContextManager:
        """Say what is being done, with a spinner on a terminal."""
        self.print(f"{text} ...")
        return self._console.status(text)

    def print_preparation(self, plan: StudyPlan, preparation: Preparation) -> None:
        """What the numbers of this study will mean."""
        self.print(f"classifier of {plan.dataset}: test accuracy {preparation.classifier_accuracy:.4f}")
        for name, value in preparation.anchors.items():
            self.print(f"{name}: {value:.2f}")
        if preparation.left_out:
            self.print(f"left out of AUROC, not on this machine: {', '.join(preparation.left_out)}")
        self.print(f"study {plan.name}: {plan.num_trials} trials of {plan.space.scale.rounds} rounds, in {plan.folder}")

    def print_results(self, plan: StudyPlan, preparation: Preparation, study: optuna.Study) -> None:
        """The best trials beside the first trials, and how the best compares with pure noise."""
        finished = _ranked(study)
        first = [t for t in study.trials if FIRST_TRIAL in t.user_attrs and t.state != TrialState.WAITING]
        shown = finished[:BEST_SHOWN] + [trial for trial in first if trial not in finished[:BEST_SHOWN]]
        self._console.print(_table(plan, shown))
        failed = [trial for trial in study.trials if trial.state == TrialState.FAIL]
        self.print(f"{len(finished)} trials finished, {len(failed)} failed")
        if finished:
            best = finished[0].user_attrs[METRICS][plan.space.objectives[0]]
            for name, anchor in preparation.anchors.items():
                self.print(f"best {plan.space.objectives[0]} / {name}: {best:.2f} / {anchor:.2f} = {best / anchor:.3f}")

    def print_next_steps(self, plan: StudyPlan) -> None:
        """The exact commands to look at the study and to go on."""
        bin_dir = Path(sys.executable).parent
        store = shlex.quote(plan.tracking_uri)
        self.print("\nLook at every trial in MLflow (then open http://127.0.0.1:5000):")
        if plan.config.tracking_uri is None:
            self.print(
                f"  {_shown(bin_dir / 'mlflow')} server --backend-store-uri {store} --host 127.0.0.1 --port 5000"
            )
        else:
            self.print("  it is on the tracking server that you named.")
        other = "ablation" if plan.space.name != "ablation" else "gradnorm"
        self.print("Run the next thing:")
        self.print(f"  {_shown(Path(sys.executable))} -m study.launch --space {other} --scale {plan.config.scale}")


class Progress(NotInSnapshot, Callback):
    """A line per finished trial: how many are done, its result, the best so far, the time left."""

    def __init__(self, console: Console, plan: StudyPlan) -> None:
        self._console = console
        self._plan = plan
        self._objective = plan.space.objectives[0]
        self._started = time.monotonic()
        self._done = 0
        self._best: tuple[float, int] | None = None

    def on_trial_complete(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any) -> None:
        """A trial has ended by itself."""
        result = trial.last_result
        if FAILURE in result:
            self._line(trials, trial, f"failed: {result[FAILURE]}")
            return
        value, number = result.get(self._objective), _number(trial)
        if value is None:
            self._line(trials, trial, f"failed: no {self._objective}")
            return
        sign = 1 if direction(self._objective) == "minimize" else -1
        if self._best is None or sign * value < sign * self._best[0]:
            self._best = (value, number)
        self._line(trials, trial, f"{self._objective} {value:8.2f}")

    def on_trial_error(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any) -> None:
        """A trial's process was lost for good."""
        self._line(trials, trial, "failed: the process of the trial ended")

    def _line(self, trials: list[RayTrial], trial: RayTrial, outcome: str) -> None:
        self._done += 1
        elapsed = time.monotonic() - self._started
        running = sum(other.status == RayTrial.RUNNING for other in trials if other is not trial)
        spent = self._done + running / 2  # what runs is on average half done
        left = max(0.0, elapsed / spent * (self._plan.num_trials - spent))
        best = f"best {self._best[0]:.2f} (trial {self._best[1]})" if self._best else "no result yet"
        self._console.print(
            f"[{self._done:>3}/{self._plan.num_trials}] trial {_number(trial):>3}  {outcome}  {best}  "
            f"{_duration(elapsed)} gone, about {_duration(left)} left"
        )


def _number(trial: RayTrial) -> int:
    return trial.config["spec"]["number"]


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _shown(path: Path) -> str:
    """A path as it is typed from here."""
    return shlex.quote(os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path))


def _ranked(study: optuna.Study) -> list[FrozenTrial]:
    """Finished trials, the best first by the first objective."""
    finished = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    reverse = study.directions[0] == optuna.study.StudyDirection.MAXIMIZE
    return sorted(finished, key=lambda trial: trial.values[0], reverse=reverse)


def _table(plan: StudyPlan, trials: list[FrozenTrial]) -> Table:
    columns = [plan.space.objectives[0], *SHOWN_METRICS]
    table = Table(title=f"study {plan.name}", box=rich.box.SIMPLE, title_justify="left")
    table.add_column("trial", justify="right")
    for name in columns:
        table.add_column(name, justify="right")
    table.add_column("settings", overflow="fold")
    for trial in trials:
        metrics = trial.user_attrs.get(METRICS, {})
        values = [f"{metrics[name]:.4g}" if name in metrics else "-" for name in columns]
        origin = f"{trial.user_attrs[FIRST_TRIAL]}: " if FIRST_TRIAL in trial.user_attrs else ""
        table.add_row(str(trial.number), *values, origin + _settings(plan, trial))
    return table


def _settings(plan: StudyPlan, trial: FrozenTrial) -> str:
    """What was suggested, as a person reads it: "image_lr 0.01, lambda_tv off"."""
    suggested = plan.space.suggest(FixedTrial(trial.params, trial.number))
    return ", ".join(
        f"{name} off"
        if value == 0 and name.startswith("lambda_")
        else f"{name} {value:.3g}"
        if isinstance(value, float)
        else f"{name} {value}"
        for name, value in suggested.items()
    )
