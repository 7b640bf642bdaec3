"""One trial without Ray: a method is built, trained in rounds, evaluated, checkpointed, and goes on where it was."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator

from trainables.checkpoints import CheckpointFolder, write_atomically
from trainables.evaluator import Evaluation, Evaluator
from trainables.export import BEST_FILE, export
from trainables.methods.base import method_class
from trainables.oscillation import Oscillation
from trainables.protocol import AT_BEST, BEST, Protocol, base_name
from trainables.registry import look_in

State = dict[str, Any]

Report = dict[str, Any]
"""Metrics by name; and under `PER_SEED`, where there are several seeds, a list with the metrics of each."""

PER_SEED = "per_seed"

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
    params: dict[str, Any] = Field(default_factory=dict, description="what Optuna suggested")
    first_trial: str | None = Field(None, description="its name, if the trial was not suggested but enqueued")
    rounds: int = Field(ge=1, description="the budget, in the method's rounds")
    evaluate_every: int = Field(ge=1, description="rounds between two evaluations")
    evaluate_at: tuple[Annotated[int, Field(ge=1)], ...] = Field((), description="rounds of further evaluations")
    seeds: int = Field(1, ge=1, description="repetitions of the trial, each with the budget, that are averaged")
    protocol: Protocol
    objective: str = Field(description="the full name of the metric that decides which weights are kept")
    cache_dir: str = Field(description="where data sets and classifiers are, absolute")
    folder: str = Field(description="where the trial keeps checkpoints, pictures and the best weights, absolute")
    outside: str | None = Field(None, description="a folder of modules that are not installed, absolute")

    @model_validator(mode="before")
    @classmethod
    def _find_modules(cls, value: Any) -> Any:
        """Before the protocol is read, whose measures may be in one of the modules."""
        if isinstance(value, dict):
            look_in(value.get("outside"))
        return value

    def repetition(self, k: int) -> TrialSpec:
        """Repetition `k` as a spec of its own: seed `seed + k * SEED_STEP`, in the folder `seed-<k>`."""
        seed = method_class(self.method).Config.model_validate(self.config).seed + k * SEED_STEP
        changed = {"config": self.config | {"seed": seed}, "seeds": 1, "folder": str(Path(self.folder) / f"seed-{k}")}
        return self.model_copy(update=changed)


def make_training(spec: TrialSpec, evaluator: Evaluator, device: torch.device) -> Training | Repetitions:
    """The training of `spec`, with as many repetitions as it asks for."""
    return Training(spec, evaluator, device) if spec.seeds == 1 else Repetitions(spec, evaluator, device)


class Training:
    """The training of one `TrialSpec` with one seed, on one device.

    It starts from the newest whole checkpoint in the trial's folder when there is one. All that it reports after
    that equals what an uninterrupted training reports, except the durations. Beside the checkpoints it keeps the
    weights and the pictures of the evaluation that was the best by the objective, if that ends in `_best`, or else of
    the latest evaluation.
    """

    def __init__(self, spec: TrialSpec, evaluator: Evaluator, device: torch.device) -> None:
        self.spec = spec
        self.evaluator = evaluator
        self.folder = Path(spec.folder)
        method = method_class(spec.method)
        self.config = method.Config.model_validate(spec.config)
        self.method = method(self.config, evaluator.dataset, device)
        self.checkpoints = CheckpointFolder(self.folder / "checkpoints")
        self.round = 0
        self.report: dict[str, float] = {}
        """What the last `advance` returned. A process may die before anybody has heard it."""
        self.best: dict[str, float] = {}
        """Of each metric its best value so far, and its value in the evaluation whose weights are kept."""
        self.metrics = spec.protocol.metrics()
        self.oscillation = Oscillation()
        self.totals: dict[str, float] = defaultdict(float, dict.fromkeys(SECONDS, 0.0))
        state = self.checkpoints.load_newest()
        if state is not None:
            self.load_state_dict(state)

    def advance(self) -> dict[str, float]:
        """Train up to the next evaluation; return the metrics, flat, and leave a checkpoint behind.

        Raises `NonFiniteLossError` where training diverges.
        """
        started = time.perf_counter()
        metrics = self._train_rounds()
        trained = time.perf_counter()
        evaluation = self.evaluator(self.method, 1_000_003 * self.config.seed + self.round)
        improved = self._update_best(evaluation.metrics)
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
        `<name>_swing_overall` is that over all rounds so far: a GAN may oscillate early alone.
        """
        values: dict[str, list[float]] = defaultdict(list)
        for _ in range(self._next_evaluation() - self.round):
            for name, value in self.method.train_round().items():
                values[name].append(value)
            self.round += 1
        for name in self.method.progress_metrics:
            self.totals[name] += sum(values.pop(name, []))
        losses = {f"{name}_swing": v for name, v in values.items() if name.startswith("loss_")}
        for name, window in losses.items():
            self.oscillation.add(f"{name}_overall", window)
        swings = {name: float(np.std(window)) for name, window in losses.items()}
        means = {name: float(sum(v) / len(v)) for name, v in values.items()}
        return means | swings | self.oscillation.deviations()

    def _next_evaluation(self) -> int:
        """The round after which comes the next evaluation: a multiple of `evaluate_every`, a further one, the last."""
        every = self.spec.evaluate_every
        regular = (self.round // every + 1) * every
        further = [number for number in self.spec.evaluate_at if number > self.round]
        return min(regular, *further, self.spec.rounds)

    def _update_best(self, measured: Mapping[str, float]) -> bool:
        """Update the best values; return whether the weights of this evaluation are to be kept."""
        objective = base_name(self.spec.objective)
        keeps_newest = objective == self.spec.objective
        improved = False
        for name in (name for name in measured if name in self.metrics):
            before = self.best.get(name + BEST, math.nan)
            best = measured[name] if math.isnan(before) else min(before, measured[name], key=self.metrics[name].loss)
            improved |= name == objective and math.isfinite(best) and best != before
            self.best[name + BEST] = best
        if improved or keeps_newest:
            self.best |= {name + AT_BEST: value for name, value in measured.items() if name in self.metrics}
        return improved or keeps_newest

    def _draw(self, evaluation: Evaluation, improved: bool) -> None:
        """The pictures of the evaluation that is kept, the frame of every one, and all frames after the last."""
        pictures, frames = self.folder / "pictures", self.folder / "frames"
        if improved:
            evaluation.draw(pictures)
        evaluation.draw_frame(self.round, frames)
        if self.is_done:
            evaluation.draw_training(frames, pictures)

    def _export(self, evaluation: Evaluation) -> None:
        # Before the checkpoint: a process that dies between the two makes the same file again when it goes on.
        objective = base_name(self.spec.objective)
        export(
            self.spec.method,
            self.config.model_dump(mode="json"),
            self.evaluator.dataset.name,
            self.method,
            self.folder / BEST_FILE,
            self.round,
            evaluation.metrics,
            objective,
            self.metrics[objective].direction,
        )

    def state_dict(self) -> State:
        """What the next `advance` depends on, and what the last one returned."""
        return {
            "round": self.round,
            "report": dict(self.report),
            "best": dict(self.best),
            "totals": dict(self.totals),
            "oscillation": self.oscillation.state_dict(),
            "method": self.method.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        """Go on from `state`."""
        self.round = state["round"]
        self.report = dict(state["report"])
        self.best = dict(state["best"])
        self.totals = defaultdict(float, state["totals"])
        self.oscillation.load_state_dict(state["oscillation"])
        self.method.load_state_dict(state["method"])


class Repetitions:
    """The training of one `TrialSpec` with several seeds: as many `Training`s, one after the other, then averaged.

    Each has its own folder. The pictures and the weights of the best of them, by the objective, are in the trial's
    folder too.
    All are in memory at once. When one diverges, so does the trial: a mean over the others would flatter it.
    """

    def __init__(self, spec: TrialSpec, evaluator: Evaluator, device: torch.device) -> None:
        self.spec = spec
        self.trainings = [Training(spec.repetition(k), evaluator, device) for k in range(spec.seeds)]
        keeps_best = spec.objective.endswith(BEST)
        self._key = spec.objective if keeps_best else spec.objective + AT_BEST
        self._shown: float | None = None
        together = len({training.round for training in self.trainings}) == 1
        self.report: Report = {}
        """What the last `advance` returned; empty where the repetitions have not got equally far."""
        if together and all(training.report for training in self.trainings):
            self.report = self._report()
            self._keep_best()

    def advance(self) -> Report:
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

    def _report(self) -> Report:
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
        return {**_report(averages, totals, self.round), PER_SEED: reports}

    def _keep_best(self) -> None:
        """Copy pictures and weights of the best repetition, by the objective, into the trial's folder."""
        loss = self.spec.protocol.metrics()[base_name(self.spec.objective)].loss
        best = min(self.trainings, key=lambda training: loss(training.best[self._key]))
        value = best.best[self._key]
        if value == self._shown and not self.is_done:
            return
        target = Path(self.spec.folder)
        (target / "pictures").mkdir(parents=True, exist_ok=True)
        for path in (best.folder / BEST_FILE, *(best.folder / "pictures").glob("*.*")):
            if path.exists():
                write_atomically(target / path.relative_to(best.folder), path.read_bytes())
        self._shown = value


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
