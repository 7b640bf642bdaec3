"""How close generated points are to a distribution on the plane or the line. No classifier is needed."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch

from trainables.data.dataset import Dataset
from trainables.data.points import Mixture
from trainables.data.sources import source_of
from trainables.data.tensors import to_tensor
from trainables.measures.base import Measure, Measured
from trainables.measures.point_figures import Scene, draw_frame, draw_training
from trainables.measures.settings import PointsSettings
from trainables.measures.subject import Subject
from trainables.methods.abilities import Moves, Samples, Scores
from trainables.metrics.optimal_discriminator import distance_to_optimal
from trainables.metrics.points import distance_to_curve, energy_distance, mean_distance, mode_coverage, undecided_share

GRID = {1: 400, 2: 60}
"""Points per side of the grid on which D's probability is drawn, by dimension."""
MARGIN = 0.4
"""How far the grid extends beyond the data on each side, as a share of the data's extent."""


class Points(Measure):
    """Compares generated points with test points, and with the distribution that the test points come from.

    Distances are in units of the data's standard deviation (the root of the variance's mean over the coordinates), so
    that distances to narrow and to wide data can be compared. `spread` is the generated points' standard deviation in
    this unit: below 1 they are narrower than the data. `energy_absolute` is in the data's own units, as in a
    picture: there, the same relative error is smaller for narrow data.
    """

    Settings = PointsSettings
    needs = Samples

    def __init__(self, settings: PointsSettings, dataset: Dataset, cache_dir: Path, device: torch.device) -> None:
        self.settings = settings
        self.device = device
        self.dataset = dataset
        points = source_of(dataset.name).points
        assert points is not None, "the settings are checked"
        self.point_set = points
        self.test = np.array(dataset.test.examples)
        self.unit = float(np.sqrt(self.test.var(axis=0).mean()))
        self.reference = self.test[: settings.num_compared] / self.unit
        self.within_reference = mean_distance(self.reference, self.reference)
        self.grid = _grid(self.test)

    def __call__(self, subject: Subject) -> Measured:
        method = subject.method
        samples = subject.samples(self.settings.num_samples).cpu().numpy()
        metrics = self.point_metrics(samples)
        probabilities = None
        if isinstance(method, Scores):
            data, generated = (points[: self.settings.num_compared] for points in (self.test, samples))
            at_data, at_generated = (self._probabilities(method, points) for points in (data, generated))
            metrics["boundary"] = undecided_share(at_data)
            metrics["optimality_gap"] = self._optimality_gap(at_data, at_generated, data, generated)
            probabilities = self._probabilities(method, self.grid)
        moved = torch.stack(method.moved()).cpu().numpy() if isinstance(method, Moves) else None
        data = self.test[: len(self.dataset.train)]
        return Measured(metrics, Scene(self.grid, self.test, data, samples, probabilities, moved))

    def point_metrics(self, points: np.ndarray) -> dict[str, float]:
        """Energy distance of points `(n, d)` to the data, and the metrics of a mixture or of a curve."""
        compared = points[: self.settings.num_compared]
        energy = energy_distance(compared / self.unit, self.reference, self.within_reference)
        # The energy distance is the root of a distance, so it grows with the root of the unit.
        spread = float(np.sqrt(points.var(axis=0).mean())) / self.unit
        energies = {"energy": energy, "energy_absolute": energy * math.sqrt(self.unit), "spread": spread}
        if isinstance(self.point_set, Mixture):
            centres = np.array(self.point_set.centres, dtype=np.float32)
            modes, inside = mode_coverage(points, centres, self.point_set.std)
            return {**energies, "modes": float(modes), "inside": inside}
        curve = self.point_set.curve().astype(np.float32)
        return {**energies, "distance": distance_to_curve(compared, curve) / self.unit}

    def references(self) -> dict[str, float]:
        """The energy distance of normal points with the data's mean and deviation, and of the training points.

        `optimality_gap` is, for the same two sets, the gap of a discriminator that says 1/2 everywhere.
        """
        rng = np.random.default_rng(0)
        size = (self.settings.num_samples, self.test.shape[1])
        noise = rng.normal(self.test.mean(axis=0), self.test.std(axis=0), size).astype(np.float32)
        sets = {"noise": noise, "train_points": np.array(self.dataset.train.examples)}
        energies = {f"energy_{name}": self.point_metrics(points)["energy"] for name, points in sets.items()}
        return energies | {f"optimality_gap_{name}": self._gap_of_undecided(points) for name, points in sets.items()}

    def draw_frame(self, measured: Measured, round_number: int, folder: Path) -> None:
        """Write the frame `points`."""
        draw_frame(measured.seen, round_number, folder)

    def draw_training(self, frames: Path, folder: Path) -> None:
        """Write `training.png` and `training.gif`."""
        draw_training(frames, folder)

    def _gap_of_undecided(self, points: np.ndarray) -> float:
        data, generated = (x[: self.settings.num_compared] for x in (self.test, points))
        return self._optimality_gap(np.full(len(data), 0.5), np.full(len(generated), 0.5), data, generated)

    def _optimality_gap(
        self, at_data: np.ndarray, at_generated: np.ndarray, data: np.ndarray, generated: np.ndarray
    ) -> float:
        if isinstance(self.point_set, Mixture):
            centres, std = np.array(self.point_set.centres), self.point_set.std
        else:
            centres, std = self.point_set.curve(), self.point_set.noise
        return distance_to_optimal(at_data, at_generated, data, generated, centres, std)

    def _probabilities(self, method: Scores, points: np.ndarray) -> np.ndarray:
        return torch.sigmoid(method.score(to_tensor(points, self.device))).cpu().numpy()


def _grid(points: np.ndarray) -> np.ndarray:
    """A grid `(GRID[d]^d, d)`, float32, over the extent of the points and `MARGIN` more; the last axis is fastest."""
    low, high = points.min(axis=0), points.max(axis=0)
    side = GRID[points.shape[1]]
    axes = [np.linspace(a - MARGIN * (b - a), b + MARGIN * (b - a), side) for a, b in zip(low, high, strict=True)]
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1).astype(np.float32)
