"""A trial with several seeds: a training for each, one after the other, then averaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trainables.export import BEST_FILE
from trainables.files import write_atomically
from trainables.protocol import AT_BEST, BEST, base_name
from trainables.training import FAILURE, REPORTED, Training, flat_report
from trainables.trial_spec import TrialSpec

Report = dict[str, Any]
"""Metrics by name; and under `PER_SEED`, where there are several seeds, a list with the metrics of each.

There, None stands for a seed that has diverged.
"""

PER_SEED = "per_seed"


class Repetitions:
    """The training of one `TrialSpec` with several seeds: as many `Training`s, one after the other, then averaged.

    Each has its own folder. The pictures and the weights of the best one, by the objective, are in the trial's folder
    too. All are in memory at once. When one diverges, so does the trial: a mean over the others would flatter it.
    """

    def __init__(self, spec: TrialSpec, trainings: Sequence[Training]) -> None:
        self.spec = spec
        self.trainings = trainings
        keeps_best = spec.objective.endswith(BEST)
        self._key = spec.objective if keeps_best else spec.objective + AT_BEST
        self._shown: float | None = None
        together = len({self.trainings[k].round for k in self._going()}) == 1
        self.report: Report = {}
        """What the last `advance` returned; empty while some repetitions are ahead of others."""
        if together and all(self.trainings[k].report for k in self._going()):
            self.report = self._report()
            self._keep_best()

    def advance(self) -> Report:
        """Train every repetition up to the next evaluation; return the metrics, flat.

        A metric is the mean over the repetitions. Metrics of the evaluation, and their best values, have a `<name>_std`
        beside them (with Bessel's correction). Counters and durations are summed; "round" is the round of each.

        Raises `NonFiniteLossError` where a repetition diverges.
        """
        self._train()
        self._keep_best()
        self.report = self._report()
        return self.report

    def _train(self) -> None:
        """Train and evaluate every repetition once."""
        # If a process died between two repetitions, some are ahead: the others catch up with them.
        rounds = [training.round for training in self.trainings]
        target = max(rounds) if len(set(rounds)) > 1 else max(rounds) + 1
        for training in self.trainings:
            while training.round < min(target, self.spec.rounds):
                training.advance()

    def _going(self) -> list[int]:
        """The numbers of the repetitions that have not diverged."""
        return list(range(len(self.trainings)))

    @property
    def failure(self) -> str:
        """Why the trial has failed, where it goes on nevertheless; else empty."""
        return ""

    @property
    def round(self) -> int:
        """The rounds that every repetition has trained."""
        return min(self.trainings[k].round for k in self._going())

    @property
    def is_done(self) -> bool:
        return all(self.trainings[k].is_done for k in self._going())

    def _report(self) -> Report:
        if self.failure:
            return self._report_of_failure()
        reports = [training.report for training in self.trainings]
        totals, averages = {}, {}
        for name in reports[0]:
            values = [report[name] for report in reports]
            if name in self.trainings[0].totals:
                totals[name] = sum(values)
                continue
            averages[name] = float(np.mean(values))
            if base_name(name) + BEST in reports[0]:
                averages[f"{name}_std"] = float(np.std(values, ddof=1))
        averages[REPORTED] = max(report[REPORTED] for report in reports)
        return {**flat_report(averages, totals, self.round), PER_SEED: reports}

    def _report_of_failure(self) -> Report:
        """The metrics of each seed, and no averages."""
        going = self._going()
        reports = [training.report if k in going else None for k, training in enumerate(self.trainings)]
        totals = {
            name: sum(training.totals.get(name, 0.0) for training in self.trainings)
            for name in self.trainings[going[0]].totals
        }
        made = max(report[REPORTED] for report in reports if report is not None)
        report = {**flat_report({REPORTED: made}, totals, self.round), PER_SEED: reports}
        return report | ({FAILURE: self.failure} if self.is_done else {})

    def _keep_best(self) -> None:
        """Copy pictures and weights of the best repetition, by the objective, into the trial's folder."""
        loss = self.spec.protocol.metrics()[base_name(self.spec.objective)].loss
        best = min((self.trainings[k] for k in self._going()), key=lambda training: loss(training.best[self._key]))
        value = best.best[self._key]
        if value == self._shown and not self.is_done:
            return
        target = Path(self.spec.folder)
        (target / "pictures").mkdir(parents=True, exist_ok=True)
        for path in (best.folder / BEST_FILE, *(best.folder / "pictures").glob("*.*")):
            if path.exists():
                write_atomically(target / path.relative_to(best.folder), path.read_bytes())
        self._shown = value
