"""The evaluator for points on the plane or the line, with a protocol of its own: no classifier is needed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from trainables.data.cache import open_dataset
from trainables.data.points import POINT_SETS, Mixture
from trainables.data.tensors import to_tensor
from trainables.methods import Method
from trainables.metrics.points import distance_to_curve, energy_distance, mean_distance, mode_coverage, undecided_share

GRID = {1: 400, 2: 60}
"""Points a side of the grid that D's probability is drawn on, by dimension."""
MARGIN = 0.4
"""How far the grid goes beyond the data on each side, as a share of its extent."""


class PointProtocol(BaseModel):
    """What a number depends on besides the model. Numbers of different protocols must not be ranked together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    kind: Literal["points"] = "points"
    num_samples: int = Field(ge=2, description="generated points, which modes are counted in and pictures show")
    num_compared: int = Field(2000, ge=2, description="of them, and of test points, for pairwise distances")

    @property
    def sha256(self) -> str:
        """The hash under which a run names its protocol."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


@dataclass(frozen=True)
class PointEvaluation:
    """One evaluation: the metrics, and what pictures are made of, float32 arrays.

    `samples` are `(num_samples, d)`; `probabilities` are D's on the evaluator's grid, None for a method without
    scores; `moved` are points that the last round moved, before and after, `(2, n, d)`.
    """

    metrics: dict[str, float]
    samples: np.ndarray
    probabilities: np.ndarray | None
    moved: np.ndarray | None


class PointEvaluator:
    """Measures methods on one data set of points under one protocol; made once per process, for many trials.

    Distances are in units of the data's standard deviation (the root of the mean square distance from the mean,
    over the coordinates), so that those of narrow and of wide data can be compared.
    """

    def __init__(self, protocol: PointProtocol, cache_dir: Path, device: torch.device) -> None:
        self.protocol = protocol
        self.device = device
        self.dataset = open_dataset(protocol.dataset, cache_dir)
        self.point_set = POINT_SETS[protocol.dataset]
        self.test = np.array(self.dataset.test.examples)
        self.unit = float(np.sqrt(self.test.var(axis=0).mean()))
        self.reference = self.test[: protocol.num_compared] / self.unit
        self.within_reference = mean_distance(self.reference, self.reference)
        self.grid = _grid(self.test)

    def __call__(self, method: Method, generator: torch.Generator) -> PointEvaluation:
        """Evaluate `method`, drawing what samples need from `generator`."""
        samples = method.samples_to_evaluate(self.protocol.num_samples, generator).cpu().numpy()
        metrics = self.point_metrics(samples)
        moved = method.moved_points()
        kept = None if moved is None else torch.stack(moved).cpu().numpy()
        at_data = self._probabilities(method, self.test[: self.protocol.num_compared])
        if at_data is None:
            return PointEvaluation(metrics, samples, None, kept)
        metrics["boundary"] = undecided_share(at_data)
        return PointEvaluation(metrics, samples, self._probabilities(method, self.grid), kept)

    def point_metrics(self, points: np.ndarray) -> dict[str, float]:
        """Energy distance of points `(n, d)` to the data, and what the shape of the distribution allows besides."""
        compared = points[: self.protocol.num_compared]
        energy = energy_distance(compared / self.unit, self.reference, self.within_reference)
        if isinstance(self.point_set, Mixture):
            centres = np.array(self.point_set.centres, dtype=np.float32)
            modes, inside = mode_coverage(points, centres, self.point_set.std)
            return {"energy": energy, "modes": float(modes), "inside": inside}
        curve = self.point_set.curve().astype(np.float32)
        return {"energy": energy, "distance": distance_to_curve(compared, curve) / self.unit}

    def anchors(self) -> dict[str, float]:
        """The ends of the scale: the energy distance of `N(mean, std)` with the data's, and of the training points."""
        generator = np.random.default_rng(0)
        noise = generator.normal(self.test.mean(axis=0), self.test.std(axis=0), (self.protocol.num_samples, self.d))
        ends = {"noise": noise.astype(np.float32), "train_points": np.array(self.dataset.train.examples)}
        return {f"energy_{end}": self.point_metrics(points)["energy"] for end, points in ends.items()}

    @property
    def d(self) -> int:
        """The number of coordinates of a point."""
        return self.test.shape[1]

    def _probabilities(self, method: Method, points: np.ndarray) -> np.ndarray | None:
        scores = method.score(to_tensor(points, self.device))
        return None if scores is None else torch.sigmoid(scores).cpu().numpy()


def point_metric_names(dataset_name: str) -> tuple[str, ...]:
    """The metrics that a trial on a data set of points reports."""
    of_shape = ("modes", "inside") if isinstance(POINT_SETS[dataset_name], Mixture) else ("distance",)
    return ("energy", *of_shape, "boundary")


def _grid(points: np.ndarray) -> np.ndarray:
    """A grid `(GRID[d]^d, d)`, float32, over the extent of the points and `MARGIN` more; the last axis is fastest."""
    low, high = points.min(axis=0), points.max(axis=0)
    side = GRID[points.shape[1]]
    axes = [np.linspace(a - MARGIN * (b - a), b + MARGIN * (b - a), side) for a, b in zip(low, high, strict=True)]
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1).astype(np.float32)
