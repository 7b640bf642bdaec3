"""How close generated points are to a distribution on the plane or the line.

Points are `(n, d)` arrays of floats. A metric of a sample depends on the sample's size: compare equal sizes.
"""

from __future__ import annotations

import numpy as np

CHUNK = 512
"""Number of points whose distances to all others are in memory at once."""

SIGMAS = 3.0
"""Standard deviations within which a point belongs to a mode."""

COVERED_SHARE = 0.1
"""A mode is covered if it has at least this share of the points that it would have if all modes had the same."""

NEAR_HALF = 0.1
"""A probability is undecided if it is at most so far from 1/2."""


def mean_distance(points: np.ndarray, others: np.ndarray) -> float:
    """Mean Euclidean distance over all pairs of one of `points` `(n, d)` and one of `others` `(m, d)`."""
    total = sum(float(_distances(chunk, others).sum(dtype=np.float64)) for chunk in _chunks(points, others))
    return total / (len(points) * len(others))


def energy_distance(points: np.ndarray, others: np.ndarray, mean_within_others: float | None = None) -> float:
    """Energy distance, >= 0: `sqrt(2 E|X - Y| - E|X - X'| - E|Y - Y'|)` (Szekely and Rizzo 2013, eq. 2.1).

    `mean_within_others` is `mean_distance(others, others)`, for callers that need it many times. A point's distance
    0 to itself is counted, so this is the distance between the two empirical distributions. Between `n` and `m` points
    of one distribution its square is about `E|X - X'| (1/n + 1/m)`.

    Raises `ValueError` if the points are not finite or of different dimensions.
    """
    if not (np.isfinite(points).all() and np.isfinite(others).all()):
        raise ValueError("points contain NaN or infinity.")
    within = mean_distance(others, others) if mean_within_others is None else mean_within_others
    squared = 2 * mean_distance(points, others) - mean_distance(points, points) - within
    return float(np.sqrt(max(0.0, squared)))


def mode_coverage(points: np.ndarray, centres: np.ndarray, std: float) -> tuple[int, float]:
    """How many modes around `centres` `(k, d)` are covered, and the share of points within 3 `std` of a centre.

    A mode is covered if `COVERED_SHARE / k` of all points, and at least one, are within 3 `std` of its centre. The
    share of a normal distribution within 3 `std` is 0.997 on the line and 0.989 on the plane.
    """
    distances = _distances(points, centres)
    near = distances.min(axis=1) <= SIGMAS * std
    by_mode = np.bincount(distances.argmin(axis=1)[near], minlength=len(centres))
    enough = max(1.0, COVERED_SHARE / len(centres) * len(points))
    return int((by_mode >= enough).sum()), float(near.mean())


def distance_to_curve(points: np.ndarray, curve: np.ndarray) -> float:
    """Mean distance of points `(n, d)` to a curve, which is given by points `(m, d)` on it.

    The result is too large by less than half the distance between neighbours on the curve.
    """
    total = sum(float(_distances(chunk, curve).min(axis=1).sum(dtype=np.float64)) for chunk in _chunks(points, curve))
    return total / len(points)


def movement(before: np.ndarray, after: np.ndarray, unit: float) -> float:
    """Mean distance between the samples of the same latents at two evaluations, both `(n, ...)`, in units of `unit`.

    It is near 0 for a training that has settled, and large for one that pushes samples around ([Yamazaki 2017], section
    5.1). Raises `ValueError` for shapes that differ, and for values that are not finite.
    """
    if before.shape != after.shape or not len(before):
        raise ValueError(f"samples {before.shape} and {after.shape} must be of the same latents.")
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise ValueError("samples contain NaN or infinity.")
    differences = after.astype(np.float64) - before
    return float(np.linalg.norm(differences.reshape(len(before), -1), axis=1).mean() / unit)


def undecided_share(probabilities: np.ndarray) -> float:
    """Share of a discriminator's probabilities `(n,)` that are within `NEAR_HALF` of 1/2.

    There the optimal discriminator is if the generator makes the data, and also one that has learned nothing.
    `trainables.metrics.optimal_discriminator` tells the two apart.
    """
    return float(np.mean(np.abs(probabilities - 0.5) <= NEAR_HALF))


def _chunks(points: np.ndarray, others: np.ndarray) -> list[np.ndarray]:
    if points.ndim != 2 or points.shape[1:] != others.shape[1:]:
        raise ValueError(f"points {points.shape} and {others.shape} must be (n, d) and (m, d).")
    return [points[start : start + CHUNK] for start in range(0, len(points), CHUNK)]


def squared_distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances `(n, m)`, from differences: a copy has the distance 0."""
    squares = np.square(np.subtract.outer(points[:, 0], others[:, 0]))
    for axis in range(1, points.shape[1]):
        squares += np.square(np.subtract.outer(points[:, axis], others[:, axis]))
    return squares


def _distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    squares = squared_distances(points, others)
    return np.sqrt(squares, out=squares)
