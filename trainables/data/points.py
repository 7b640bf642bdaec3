"""Data sets of points on the plane and the line: deterministic, float32, in the units of the documents.

Each name stands for one distribution; the training and the test split are two draws from it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from trainables.data.dataset import Split

SEED = 0
TEST_SIZE = 10_000
"""Points in every test split. In evaluations the test split stands for the distribution."""

CURVE_POINTS = 2000
"""Points that stand for a whole curve. On the longest, the Swiss roll, neighbours are at most 0.07 apart."""


@dataclass(frozen=True)
class PointSet(ABC):
    """A distribution of points and the size of its training split."""

    description: str
    train_size: int

    @property
    @abstractmethod
    def shape(self) -> tuple[int]:
        """`(d,)`, the number of coordinates."""

    @abstractmethod
    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `n` points `(n, d)`, float64."""

    def splits(self) -> tuple[Split, Split]:
        """The training and the test split, float32, without labels, always the same."""
        rng = np.random.default_rng(SEED)
        train, test = (self.sample(n, rng).astype(np.float32) for n in (self.train_size, TEST_SIZE))
        return Split(train), Split(test)


@dataclass(frozen=True)
class Mixture(PointSet):
    """Normal distributions with the same weight and the standard deviation `std` around each of `centres`."""

    centres: tuple[tuple[float, ...], ...]
    std: float

    @property
    def shape(self) -> tuple[int]:
        return (len(self.centres[0]),)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        chosen = np.array(self.centres)[rng.integers(len(self.centres), size=n)]
        return chosen + self.std * rng.standard_normal(chosen.shape)


@dataclass(frozen=True)
class Spiral(PointSet):
    """`scale * t * (cos t, sin t)` minus its mean, `t` uniform between the `turns`, plus normal noise."""

    turns: tuple[float, float]
    scale: float
    noise: float

    @property
    def shape(self) -> tuple[int]:
        return (2,)

    def curve(self) -> np.ndarray:
        """The points without noise, `(CURVE_POINTS, 2)`, evenly in `t`."""
        first, last = self.turns
        return self._at(np.linspace(first, last, CURVE_POINTS) * 2 * np.pi)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        first, last = self.turns
        points = self._at(rng.uniform(first, last, n) * 2 * np.pi)
        return points + self.noise * rng.standard_normal(points.shape)

    def _at(self, t: np.ndarray) -> np.ndarray:
        x, y = t * np.cos(t), t * np.sin(t)
        return self.scale * (np.stack([x, y], axis=1) - self._mean())

    def _mean(self) -> np.ndarray:
        """The integral of `t (cos t, sin t)` over the turns, divided by their length."""
        first, last = (2 * np.pi * turn for turn in self.turns)

        def antiderivative(t: float) -> np.ndarray:
            return np.array([t * np.sin(t) + np.cos(t), np.sin(t) - t * np.cos(t)])

        return (antiderivative(last) - antiderivative(first)) / (last - first)


def _ring(modes: int, radius: float) -> tuple[tuple[float, ...], ...]:
    angles = 2 * np.pi * np.arange(modes) / modes
    return tuple((float(radius * np.cos(angle)), float(radius * np.sin(angle))) for angle in angles)


def _line(mean: float, std: float) -> Mixture:
    # [Tabak 2016] draws 120 new numbers at each step. A batch of 120 from 10,000 is practically the same.
    return Mixture(f"10,000 numbers of N({mean:g}, {std:g})", 10_000, ((mean,),), std)


POINT_SETS: dict[str, Mixture | Spiral] = {
    # [Yesilcimen 2022], section 4.1, gives the number of points and the square [-1, 1]^2 that they lie in. Reading: a
    # little noise, and one turn, with which the accuracy after the initial training is the published 0.84.
    "spiral": Spiral("400 points on a spiral", 400, turns=(0.25, 1.25), scale=0.9 / (2.5 * np.pi), noise=0.02),
    # [Yamazaki 2017], section 4.4.1: Marsland's roll, which is scikit-learn's `make_swiss_roll` without the middle
    # axis, not scaled.
    "swiss_roll": Spiral("10,000 points of a Swiss roll", 10_000, turns=(0.75, 2.25), scale=1.0, noise=0.2),
    # The same section gives neither radius nor deviation. These are from Metz et al. (2016, arXiv:1611.02163), whose
    # mixture most papers use.
    "eight_gaussians": Mixture("10,000 points of 8 Gaussians on a circle", 10_000, _ring(8, radius=2.0), 0.02),
    # [Tabak 2016], section 3.1.
    "line_-2_0.5": _line(-2.0, 0.5),
    "line_3_0.5": _line(3.0, 0.5),
    "line_3_0.2": _line(3.0, 0.2),
}
