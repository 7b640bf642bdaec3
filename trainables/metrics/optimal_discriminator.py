"""How far a discriminator of points is from the optimal one.

For data of density `p` and samples of density `q` it is `D*(x) = p(x) / (p(x) + q(x))` (Goodfellow et al. 2014,
arXiv:1406.2661, proposition 1). `p` is known. `q` is estimated from samples by a normal kernel, which blurs it. `p` is
blurred by the same kernel, so that `D*` is 1/2 where the distributions are equal. This can be done exactly: all data
sets are mixtures of normal distributions with one standard deviation; a curve with noise has many centres.
"""

from __future__ import annotations

import math

import numpy as np

from trainables.metrics.points import squared_distances

CHUNK = 128
"""Number of points whose distances to all centres are in memory at once: they fit into a processor's cache."""

FARTHEST = 1e15
"""In standard deviations. Points that are farther away are moved here, so that float32 can hold the squares."""


def log_density(points: np.ndarray, centres: np.ndarray, std: float) -> np.ndarray:
    """Log density `(n,)` of points `(n, d)` under equal normal distributions, of deviation `std`, around `centres`.

    Centres are `(m, d)`. The computation is in float32, with errors of about 1e-5. With samples as centres it is a
    kernel density estimate.
    """
    d = points.shape[1]
    points, centres = ((x / std).clip(-FARTHEST, FARTHEST).astype(np.float32) for x in (points, centres))
    logarithms = np.empty(len(points))
    for start in range(0, len(points), CHUNK):
        exponents = squared_distances(points[start : start + CHUNK], centres)
        exponents *= -0.5
        highest = exponents.max(axis=1)
        exponents -= highest[:, None]
        np.exp(exponents, out=exponents)
        logarithms[start : start + CHUNK] = highest + np.log(exponents.sum(axis=1))
    return logarithms - math.log(len(centres)) - d * math.log(std * math.sqrt(2 * math.pi))


def optimal_probabilities(
    points: np.ndarray, centres: np.ndarray, std: float, generated: np.ndarray, bandwidth: float | None = None
) -> np.ndarray:
    """`D*` at points `(n, d)`: `(n,)`, for data around `centres` `(k, d)` with `std`, and generated points `(m, d)`.

    `bandwidth` is the standard deviation of the kernel, by default half of `std`. Finer details are not seen; with a
    smaller one, `D*` depends more on the sample.
    """
    bandwidth = std / 2 if bandwidth is None else bandwidth
    of_data = log_density(points, centres, math.hypot(std, bandwidth))
    return np.exp(of_data - np.logaddexp(of_data, log_density(points, generated, bandwidth)))


def distance_to_optimal(
    at_data: np.ndarray,
    at_generated: np.ndarray,
    data: np.ndarray,
    generated: np.ndarray,
    centres: np.ndarray,
    std: float,
    bandwidth: float | None = None,
) -> float:
    """Mean `|D(x) - D*(x)|`, in [0, 1], over data `(n, d)` and generated points `(m, d)`, both with the same weight.

    `at_data` and `at_generated` are the discriminator's probabilities there. The other arguments are as for
    `optimal_probabilities`. A discriminator that says 1/2 everywhere is near 0 only if the distributions are nearly
    equal. The estimate of `q` sets a limit: with 2,000 points from the data's own distribution such a discriminator has
    0.01 for a normal distribution on the line, 0.03 for 8 Gaussians, 0.08 for the spiral, 0.12 for the Swiss roll.

    Raises `ValueError` for shapes that do not fit, and values that are not finite.
    """
    if data.ndim != 2 or not data.shape[1:] == generated.shape[1:] == centres.shape[1:]:
        raise ValueError(f"points {data.shape}, {generated.shape} and {centres.shape} must be (n, d), (m, d), (k, d).")
    if at_data.shape != data.shape[:1] or at_generated.shape != generated.shape[:1]:
        raise ValueError(f"{at_data.shape} and {at_generated.shape} are not one probability for each point.")
    if not all(np.isfinite(x).all() for x in (at_data, at_generated, data, generated)):
        raise ValueError("points or probabilities contain NaN or infinity.")
    optimal = optimal_probabilities(np.concatenate([data, generated]), centres, std, generated, bandwidth)
    of_data = np.abs(at_data - optimal[: len(data)]).mean()
    of_generated = np.abs(at_generated - optimal[len(data) :]).mean()
    return float((of_data + of_generated) / 2)
