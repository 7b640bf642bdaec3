"""Scores of images by a classifier's logits or features: reference values for a method's own score.

All are `(n,)`, float64, higher = more in-distribution.
"""

from __future__ import annotations

import numpy as np
import torch

from trainables.metrics.distances import distances_to_nearest

SHORTEST = 1e-10
"""Added to the length of a feature vector, which may be zero after a ReLU."""


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


def _directions(features: np.ndarray) -> np.ndarray:
    return features / (np.linalg.norm(features, axis=1, keepdims=True) + SHORTEST)


def _logsumexp(logits: np.ndarray) -> np.ndarray:
    highest = logits.max(axis=1)
    return highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))


def _floats(kind: str, x: np.ndarray) -> np.ndarray:
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"{kind} must be finite and (n, d), not {x.dtype} {x.shape}.")
    return x.astype(np.float64)
