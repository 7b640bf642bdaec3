"""One trial without Ray: a method is built, trained in rounds, evaluated, checkpointed, and goes on where it was."""

from __future__ import annotations

import resource
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field

from trainables.checkpoints import CheckpointFolder
from trainables.evaluation import Evaluation, Evaluator, Protocol
from trainables.figures import draw
from trainables.methods import METHODS
from trainables.metrics.names import direction

State = dict[str, Any]


class TrialSpec(BaseModel):
    """Everything that a trial is told: JSON in, JSON out, the same on every machine of a cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=0, description="the trial's number in its study")
    method: str
    config: dict[str, Any] = Field(description="the method's own settings")
    rounds: int = Field(ge=1, description="the budget, in the method's rounds")
    evaluate_every: int = Field(ge=1, description="rounds between two evaluations")
    protocol: Protocol
    cache_dir: str = Field(description="where data sets and classifiers are, absolute")
    folder: str = Field(description="where the trial keeps checkpoints and pictures, absolute")


class Training:
    """The training of one `TrialSpec`, on one device.

    It starts from the newest whole checkpoint in the trial's folder when there is one. All that it reports after
    that equals what an uninterrupted training reports, except the durations.
    """

    def __init__(self, spec: TrialSpec, evaluator: Evaluator, device: torch.device) -> None:
        self.spec = spec
        self.evaluator = evaluator
        method = METHODS[spec.method]
        self.config = method.Config.model_validate(spec.config)
        self.method = method(self.config, evaluator.dataset, device)
        self.checkpoints = CheckpointFolder(Path(spec.folder) / "checkpoints")
        self.round = 0
        self.best: dict[str, float] = {}
        self.totals: dict[str, float] = defaultdict(float)
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
        metrics |= evaluation.metrics
        metrics |= self._best_of(evaluation)
        evaluated = time.perf_counter()
        self.totals["seconds_training"] += trained - started
        self.totals["seconds_evaluation"] += evaluated - trained
        self.checkpoints.save(self.state_dict(), self.round)
        self.totals["seconds_saving"] += time.perf_counter() - evaluated
        metrics |= self.totals
        if generated := self.totals.get("images_generated"):
            metrics["images_per_second"] = generated / self.totals["seconds_training"]
        return metrics | {"round": self.round, "memory_mb": _peak_memory_mb()}

    @property
    def is_done(self) -> bool:
        return self.round >= self.spec.rounds

    def _train_rounds(self) -> dict[str, float]:
        """The mean of what the rounds until the next evaluation report; progress is summed in `totals`."""
        values: dict[str, list[float]] = defaultdict(list)
        for _ in range(min(self.spec.evaluate_every, self.spec.rounds - self.round)):
            for name, value in self.method.train_round().items():
                values[name].append(value)
            self.round += 1
        for name in self.method.progress_metrics:
            self.totals[name] += sum(values.pop(name, []))
        return {name: sum(v) / len(v) for name, v in values.items()}

    def _best_of(self, evaluation: Evaluation) -> dict[str, float]:
        """Update the best values, and the pictures when the Frechet distance is the best so far."""
        for name, value in evaluation.metrics.items():
            best = f"{name}_best"
            better = min if direction(name) == "minimize" else max
            improved = best not in self.best or better(value, self.best[best]) != self.best[best]
            if improved:
                self.best[best] = value
            if improved and name.startswith("fid_"):
                draw(evaluation, self.evaluator.dataset, Path(self.spec.folder) / "pictures")
        return self.best

    def state_dict(self) -> State:
        """What the next `advance` depends on."""
        return {
            "round": self.round,
            "best": dict(self.best),
            "totals": dict(self.totals),
            "method": self.method.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        """Go on from `state`."""
        self.round = state["round"]
        self.best = dict(state["best"])
        self.totals = defaultdict(float, state["totals"])
        self.method.load_state_dict(state["method"])


def _peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
