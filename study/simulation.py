"""Searches in simulated time: the searcher and the schedulers of a study, and trials that only say what they took."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import Trial
from ray.tune.schedulers import TrialScheduler

from study.curves import Curve, Curves
from study.optuna_storage import create_study
from study.schedulers import make_scheduler
from study.searcher import OptunaSearcher
from trainables.protocol import Protocol as Measures
from trainables.trial_spec import TrialSpec

AT_ONCE = 2
"""Trials that run at the same time, as on a laptop with two cores."""


class Job(Protocol):
    """A trial as the simulation sees it."""

    def advance(self) -> tuple[dict[str, Any], float]:
        """What the trial reports next, and how long that took; the last report has "done"."""


@dataclass(order=True)
class _Running:
    """A trial that runs: what Ray's schedulers see of it, and its next report with the time at which it comes."""

    time: float
    trial_id: str
    config: dict[str, Any] = field(compare=False)
    job: Job = field(compare=False)
    report: dict[str, Any] = field(compare=False, default_factory=dict)
    experiment_tag: str = field(compare=False, default="")

    def advance(self) -> None:
        self.report, took = self.job.advance()
        self.time += took


def run(
    searcher: OptunaSearcher, scheduler: TrialScheduler, start: Callable[[dict[str, Any]], Job], at_once: int = AT_ONCE
) -> Iterator[tuple[str, float, dict[str, Any]]]:
    """The reports of a search in the order of the simulated time: whose, when and what; until the searcher has no more.

    `start` makes the job of a config that the searcher suggests. Searcher and scheduler hear what Ray would tell them.
    """
    running: list[_Running] = []
    now, number = 0.0, 0
    while True:
        while len(running) < at_once and isinstance(config := searcher.suggest(f"t{number:06d}"), dict):
            trial = _Running(now, f"t{number:06d}", config, start(config))
            scheduler.on_trial_add(None, trial)  # type: ignore[arg-type]
            trial.advance()
            heapq.heappush(running, trial)
            number += 1
        if not running:
            return
        trial = heapq.heappop(running)
        now = trial.time
        yield trial.trial_id, now, trial.report
        if not trial.report.get("done") and scheduler.on_trial_result(None, trial, trial.report) == "CONTINUE":  # type: ignore[arg-type]
            searcher.on_trial_result(trial.trial_id, trial.report)
            trial.advance()
            heapq.heappush(running, trial)
        else:
            searcher.on_trial_complete(trial.trial_id, trial.report)
            scheduler.on_trial_complete(None, trial, trial.report)  # type: ignore[arg-type]


class _Replay:
    """A recorded trial as a job."""

    def __init__(self, curve: Curve, objective: str) -> None:
        self._reports = iter(curve.values.items())
        self._objective = objective
        self._last = max(curve.values)
        self._seconds = curve.seconds / self._last
        self._round = 0

    def advance(self) -> tuple[dict[str, Any], float]:
        at, value = next(self._reports)
        took = (at - self._round) * self._seconds
        self._round = at
        return {"round": at, self._objective: value, "done": at == self._last}, took


@dataclass(frozen=True)
class Search:
    """How a study is searched."""

    sampler: str
    scheduler: str
    grace: float
    """The share of its rounds that a trial has before it may be stopped."""


def best_so_far(curves: Curves, how: Search, seed: int, seconds: float) -> list[tuple[float, float]]:
    """The times at which a search found something better, up to `seconds`, and what it found.

    A suggestion between the recorded ones gets the curve of the nearest.
    """
    every, *_, budget = curves.rounds
    study = create_study("simulated", InMemoryStorage(), (curves.direction,), [])

    def make_spec(trial: Trial) -> TrialSpec:
        return TrialSpec(
            number=trial.number,
            method="replayed",
            config={},
            params={name: _suggested(trial, name, found) for name, found in curves.space.items()},
            rounds=budget,
            evaluate_every=every,
            protocol=Measures(dataset="replayed", measures=()),
            objective=curves.objective,
            cache_dir="",
            folder="",
        )

    searcher = OptunaSearcher(study, (curves.objective,), make_spec, 10**9, how.sampler, seed)
    scheduler = make_scheduler(
        how.scheduler, curves.objective, curves.direction, budget, every, evaluate_at=curves.rounds, grace=how.grace
    )
    sign = 1 if curves.direction == "minimize" else -1
    found: list[tuple[float, float]] = []
    for _, time, report in run(
        searcher, scheduler, lambda config: _Replay(curves.nearest(config["spec"]["params"]), curves.objective)
    ):
        if time > seconds:
            break
        if report["done"] and (not found or sign * report[curves.objective] < sign * found[-1][1]):
            found.append((time, report[curves.objective]))
    return found


def _suggested(trial: Trial, name: str, found: BaseDistribution) -> Any:
    if isinstance(found, CategoricalDistribution):
        return trial.suggest_categorical(name, found.choices)
    if isinstance(found, IntDistribution):
        return trial.suggest_int(name, found.low, found.high, step=found.step, log=found.log)
    assert isinstance(found, FloatDistribution)
    return trial.suggest_float(name, found.low, found.high, step=found.step, log=found.log)
