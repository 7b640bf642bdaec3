"""One trial without Ray: a method is built, trained in rounds, evaluated, checkpointed, and goes on where it was."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from trainables.checkpoints import CheckpointFolder, write_atomically
from trainables.evaluators import AnyEvaluator, AnyProtocol
from trainables.export import BEST_FILE, export, first_distance
from trainables.measures.fidelity import Evaluation
from trainables.measures.image_figures import draw
from trainables.measures.point_figures import draw_frame, draw_training
from trainables.measures.points import PointEvaluation, PointEvaluator
from trainables.methods import METHODS
from trainables.metrics.names import BOUNDS, direction

State = dict[str, Any]

REPORTED = "reported_ms"
"""The key under which a report says when it was made, in milliseconds since the epoch: a repeated one says the same."""

SECONDS = ("seconds_training", "seconds_evaluation", "seconds_saving")
"""What a training's time goes into. A report is saved with the checkpoint: what that takes is in the next one."""

SEED_STEP = 1_000_003
"""Between the seeds of a trial's repetitions: a prime beyond the number of trials, which have neighbouring seeds."""


class TrialSpec(BaseModel):
    """Everything that a trial is told: JSON in, JSON out, the same on every machine of a cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=0, description="the trial's number in its study")
    method: str
    config: dict[str, Any] = Field(description="the method's own settings")
    rounds: int = Field(ge=1, description="the budget, in the method's rounds")
    evaluate_every: int = Field(ge=1, description="rounds between two evaluations")
    first_evaluation: int | None = Field(None, ge=1, description="rounds before an evaluation besides, the first")
    seeds: int = Field(1, ge=1, description="repetitions of the trial, each with the budget, that are averaged")
    protocol: AnyProtocol
    cache_dir: str = Field(description="where data sets and classifiers are, absolute")
    folder: str = Field(description="where the trial keeps checkpoints, pictures and the best weights, absolute")

    def repetition(self, k: int) -> TrialSpec:
        """Repetition `k` as a spec of its own: seed `seed + k * SEED_STEP`, in the folder `seed-<k>`."""
        seed = METHODS[self.method].Config.model_validate(self.config).seed + k * SEED_STEP
        changed = {"config": self.config | {"seed": seed}, "seeds": 1, "folder": str(Path(self.folder) / f"seed-{k}")}
        return self.model_copy(update=changed)


def make_training(spec: TrialSpec, evaluator: AnyEvaluator, device: torch.device) -> Training | Repetitions:
    """The training of `spec`, with as many repetitions as it asks for."""
    return Training(spec, evaluator, device) if spec.seeds == 1 else Repetitions(spec, evaluator, device)


class Training:
    """The training of one `TrialSpec` with one seed, on one device.

    It starts from the newest whole checkpoint in the trial's folder when there is one. All that it reports after
    that equals what an uninterrupted training reports, except the durations. The weights and the pictures of the
    evaluation with the lowest distance to the data (`export.first_distance`) are kept beside the checkpoints.
    """

    def __init__(self, spec: TrialSpec, evaluator: AnyEvaluator, device: torch.device) -> None:
        self.spec = spec
        self.evaluator = evaluator
        self.folder = Path(spec.folder)
        method = METHODS[spec.method]
        self.config = method.Config.model_validate(spec.config)
        self.method = method(self.config, evaluator.dataset, device)
        self.checkpoints = CheckpointFolder(self.folder / "checkpoints")
        self.round = 0
        self.report: dict[str, float] = {}
        """What the last `advance` returned. A process may die before anybody has heard it."""
        self.best: dict[str, float] = {}
        self.totals: dict[str, float] = defaultdict(float, dict.fromkeys(SECONDS, 0.0))
        state = self.checkpoints.load_newest(device)
        if state is not None:
            self.load_state_dict(state)

    def advance(self) -> dict[str, float]:
        """Train up to the next evaluation; return the metrics, flat, and leave a checkpoint behind.

        Raises `NonFiniteLossError` where training diverges.
        """
        started = time.perf_counter()
        metrics = self._train_rounds()
        trained = time.perf_counter()
        generator = torch.Generator().manual_seed(1_000_003 * self.config.seed + self.round)
        evaluation = self.evaluator(self.method, generator)
        improved = self._update_best(evaluation)
        self._draw(evaluation, improved)
        evaluated = time.perf_counter()
        self.totals["seconds_training"] += trained - started
        self.totals["seconds_evaluation"] += evaluated - trained
        if improved:
            self._export(evaluation)
        metrics |= {**evaluation.metrics, **self.best, REPORTED: time.time_ns() // 1_000_000}
        self.report = _report(metrics, self.totals, self.round)
        self.checkpoints.save(self.state_dict(), self.round)
        self.totals["seconds_saving"] += time.perf_counter() - evaluated
        return self.report

    @property
    def is_done(self) -> bool:
        return self.round >= self.spec.rounds

    def _train_rounds(self) -> dict[str, float]:
        """The mean of what the rounds until the next evaluation report; progress is summed in `totals`.

        Of a loss, `<name>_swing` is the standard deviation over these rounds: how much it oscillates.
        """
        values: dict[str, list[float]] = defaultdict(list)
        for _ in range(self._next_evaluation() - self.round):
            for name, value in self.method.train_round().items():
                values[name].append(value)
            self.round += 1
        for name in self.method.progress_metrics:
            self.totals[name] += sum(values.pop(name, []))
        swings = {f"{name}_swing": float(np.std(v)) for name, v in values.items() if name.startswith("loss_")}
        return {name: float(sum(v) / len(v)) for name, v in values.items()} | swings

    def _next_evaluation(self) -> int:
        """The round after which comes the next evaluation: a multiple of `evaluate_every`, the first, or the last."""
        first, every = self.spec.first_evaluation, self.spec.evaluate_every
        regular = (self.round // every + 1) * every
        return min(regular if first is None or self.round >= first else min(first, regular), self.spec.rounds)

    def _update_best(self, evaluation: Evaluation | PointEvaluation) -> bool:
        """Update the best values; return whether the distance to the data is the best so far."""
        before = first_distance(self.best)
        for name, value in evaluation.metrics.items():
            if name.endswith(BOUNDS):
                continue
            best = self.best.get(f"{name}_best", math.nan)
            better = min if direction(name) == "minimize" else max
            self.best[f"{name}_best"] = value if math.isnan(best) else better(best, value)
        now = first_distance(self.best)
        return math.isfinite(now) and now != before

    def _draw(self, evaluation: Evaluation | PointEvaluation, improved: bool) -> None:
        """Images: the best evaluation. Points: every evaluation, and all of them together after the last."""
        pictures = self.folder / "pictures"
        if isinstance(evaluation, Evaluation):
            if improved:
                draw(evaluation, self.evaluator.dataset, pictures)
            return
        assert isinstance(self.evaluator, PointEvaluator)
        draw_frame(evaluation, self.evaluator, self.round, self.folder / "frames")
        if self.is_done:
            draw_training(self.folder / "frames", pictures)

    def _export(self, evaluation: Evaluation | PointEvaluation) -> None:
        # Before the checkpoint: a process that dies between the two makes the same file again when it goes on.
        config = self.config.model_dump(mode="json")
        path = self.folder / BEST_FILE
        dataset = self.evaluator.dataset.name
        export(self.spec.method, config, dataset, self.method, path, self.round, evaluation.metrics)

    def state_dict(self) -> State:
        """What the next `advance` depends on, and what the last one returned."""
        return {
            "round": self.round,
            "report": dict(self.report),
            "best": dict(self.best),
            "totals": dict(self.totals),
            "method": self.method.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        """Go on from `state`."""
        self.round = state["round"]
        self.report = dict(state["report"])
        self.best = dict(state["best"])
        self.totals = defaultdict(float, state["totals"])
        self.method.load_state_dict(state["method"])


class Repetitions:
    """The training of one `TrialSpec` with several seeds: as many `Training`s, one after the other, then averaged.

    Each has its own folder. The pictures and the weights of the best of them are in the trial's folder too.
    All are in memory at once. When one diverges, so does the trial: a mean over the others would flatter it.
    """

    def __init__(self, spec: TrialSpec, evaluator: AnyEvaluator, device: torch.device) -> None:
        self.spec = spec
        self.trainings = [Training(spec.repetition(k), evaluator, device) for k in range(spec.seeds)]
        self._shown = math.inf
        together = len({training.round for training in self.trainings}) == 1
        self.report: dict[str, float] = {}
        """What the last `advance` returned; empty where the repetitions have not got equally far."""
        if together and all(training.report for training in self.trainings):
            self.report = self._report()
            self._keep_best()

    def advance(self) -> dict[str, float]:
        """Train every repetition up to the next evaluation; return the metrics, flat.

        A metric is the mean over the repetitions; what the evaluation measured, and its best values, have a
        `<name>_std` beside it (with Bessel's correction). Counters and durations are summed, "round" is that of one.

        Raises `NonFiniteLossError` where a repetition diverges.
        """
        # A process that died between two repetitions has left some ahead: the others catch up with them.
        rounds = [training.round for training in self.trainings]
        target = max(rounds) if len(set(rounds)) > 1 else max(rounds) + 1
        for training in self.trainings:
            while training.round < min(target, self.spec.rounds):
                training.advance()
        self._keep_best()
        self.report = self._report()
        return self.report

    @property
    def round(self) -> int:
        """The rounds that every repetition has trained."""
        return min(training.round for training in self.trainings)

    @property
    def is_done(self) -> bool:
        return all(training.is_done for training in self.trainings)

    def _report(self) -> dict[str, float]:
        reports = [training.report for training in self.trainings]
        totals, averages = {}, {}
        for name in reports[0]:
            values = [report[name] for report in reports]
            if name in self.trainings[0].totals:
                totals[name] = sum(values)
                continue
            averages[name] = float(np.mean(values))
            if f"{name.removesuffix('_best')}_best" in reports[0]:
                averages[f"{name}_std"] = float(np.std(values, ddof=1))
        averages[REPORTED] = max(report[REPORTED] for report in reports)
        return _report(averages, totals, self.round)

    def _keep_best(self) -> None:
        """Copy pictures and weights of the repetition with the lowest distance to the data into the trial's folder."""
        best = min(self.trainings, key=lambda training: first_distance(training.best))
        distance = first_distance(best.best)
        if distance == self._shown and not self.is_done:
            return
        target = Path(self.spec.folder)
        (target / "pictures").mkdir(parents=True, exist_ok=True)
        for path in (best.folder / BEST_FILE, *(best.folder / "pictures").glob("*.*")):
            write_atomically(target / path.relative_to(best.folder), path.read_bytes())
        self._shown = distance


def _report(metrics: Mapping[str, float], totals: Mapping[str, float], round_number: int) -> dict[str, float]:
    """What was measured and what it cost, flat."""
    report = {**metrics, **totals, "round": round_number, "memory_mb": _peak_memory_mb()}
    report["evaluation_share"] = totals["seconds_evaluation"] / sum(totals[name] for name in SECONDS)
    if generated := totals.get("images_generated"):
        report["images_per_second"] = generated / totals["seconds_training"]
    return report


def _peak_memory_mb() -> float:
    """Peak resident memory in MiB; on Linux without the files that are mapped, which a node's trials share.

    The files are libraries and data. How much of them is resident is up to the kernel.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if sys.platform == "darwin":
        return peak / 2**20
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    mapped = sum(int(line.split()[1]) for line in lines if line.startswith(("RssFile:", "RssShmem:")))
    return (peak - mapped) / 2**10
