"""Scores of images by a classifier's logits or features, or by pixels: reference values for a method's own score.

All are `(n,)`, float64, higher = more in-distribution. Features are `(n, d)`, those of training images `(m, d)`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from trainables.metrics.distances import distances_to_nearest

SHORTEST = 1e-10
"""Added to the length of a feature vector, which may be zero after a ReLU."""

Scorer = Callable[[np.ndarray], np.ndarray]
"""Vectors `(n, d)` to their scores `(n,)`; what it was made from is what it compares with."""

NO_VARIANCE = 1e-12
"""Directions with less of the largest variance than this are rounding errors: some units are always 0."""


def maximum_softmax(logits: np.ndarray) -> np.ndarray:
    """The highest class probability of logits `(n, K)` (Hendrycks and Gimpel 2017, arXiv:1610.02136)."""
    logits = _floats("logits", logits)
    return np.exp(logits.max(axis=1) - _logsumexp(logits))


def energy_score(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Minus the energy, `T log sum exp(f / T)`, of logits `(n, K)` (Liu et al. 2020, arXiv:2010.03759, eq. 4)."""
    return temperature * _logsumexp(_floats("logits", logits) / temperature)


def neighbour_score(features: np.ndarray, training_features: np.ndarray, k: int = 1) -> np.ndarray:
    """Minus the distance of features `(n, d)` to the `k`-th nearest training feature, all divided by their lengths.

    Training features are `(m, d)`. Sun et al. 2022 (arXiv:2204.06507) use `k = 50` for the 50,000 training images of
    CIFAR-10; with a few thousand images a smaller `k` is better. Raises `ValueError` unless `1 <= k <= m`.
    """
    of_images, of_training = (
        torch.from_numpy(_directions(_floats("features", x))) for x in (features, training_features)
    )
    return -distances_to_nearest(of_images, of_training, k).numpy()


def mahalanobis(training_features: np.ndarray, training_labels: np.ndarray) -> Scorer:
    """Scores features by minus the squared Mahalanobis distance to the nearest class mean.

    All classes share one covariance: that of the training features around the means of their classes, labels `(m,)`
    (Lee et al. 2018, arXiv:1807.03888, eq. 2). Directions in which training features do not vary are left out.
    """
    training = _floats("features", training_features)
    classes, indices = np.unique(training_labels, return_inverse=True)
    means = np.stack([training[indices == label].mean(axis=0) for label in range(len(classes))])
    centred = training - means[indices]
    precision = np.linalg.pinv(centred.T @ centred / len(training), rcond=NO_VARIANCE, hermitian=True)

    def score(features: np.ndarray) -> np.ndarray:
        differences = (_floats("features", features) - mean for mean in means)
        return -np.min([((difference @ precision) * difference).sum(axis=1) for difference in differences], axis=0)

    return score


def residual(training: np.ndarray, components: int) -> Scorer:
    """Scores vectors by minus their distance to the plane of the first principal components of `training` `(m, d)`.

    Where there are no more than `components` dimensions, only the one with the least variance is left.
    """
    training = _floats("vectors", training)
    mean = training.mean(axis=0)
    rest = _least_varying(training - mean, min(components, training.shape[1] - 1))
    return lambda x: -np.linalg.norm((_floats("vectors", x) - mean) @ rest, axis=1)


def vim(training_features: np.ndarray, weight: np.ndarray, bias: np.ndarray, components: int) -> Scorer:
    """Scores features by ViM: the energy score minus a multiple of a residual (Wang et al. 2022, arXiv:2203.10807).

    The logits are `features @ weight.T + bias`, with `weight` `(K, d)` and `bias` `(K,)`. The residual is the length
    of what the first `components` principal components of the training features leave, measured from `-pinv(W) b`.
    The factor is the mean of the largest logits of the training features, divided by the mean of their residuals.
    """
    training = _floats("features", training_features)
    origin = -np.linalg.pinv(weight.astype(np.float64)) @ bias.astype(np.float64)
    rest = _least_varying(training - origin, components)

    def residuals(features: np.ndarray) -> np.ndarray:
        return np.linalg.norm((features - origin) @ rest, axis=1)

    factor = (training @ weight.T + bias).max(axis=1).mean() / residuals(training).mean()

    def score(features: np.ndarray) -> np.ndarray:
        features = _floats("features", features)
        return energy_score(features @ weight.T + bias) - factor * residuals(features)

    return score


def _least_varying(vectors: np.ndarray, components: int) -> np.ndarray:
    """An orthonormal basis `(d, d - components)` of what the directions with the largest second moments leave."""
    if not 0 <= components < vectors.shape[1]:
        raise ValueError(f"there are no {components} components to leave out of {vectors.shape[1]}.")
    _, directions = np.linalg.eigh(vectors.T @ vectors / len(vectors))  # the smallest first
    return directions[:, : vectors.shape[1] - components]


def _directions(features: np.ndarray) -> np.ndarray:
    return features / (np.linalg.norm(features, axis=1, keepdims=True) + SHORTEST)


def _logsumexp(logits: np.ndarray) -> np.ndarray:
    highest = logits.max(axis=1)
    return highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))


def _floats(kind: str, x: np.ndarray) -> np.ndarray:
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"{kind} must be finite and (n, d), not {x.dtype} {x.shape}.")
    return x.astype(np.float64)
