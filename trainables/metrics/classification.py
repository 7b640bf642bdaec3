"""How good class probabilities are: accuracy, calibration, likelihood."""

from __future__ import annotations

import numpy as np

BINS = 15
"""The number of bins of Guo et al. 2017."""


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Share of the examples whose most probable class, of `(n, K)`, is their label, of `(n,)`."""
    return float((probabilities.argmax(1) == labels).mean())


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """The expected calibration error: by how much the largest probability differs from the accuracy.

    The examples are put into `bins` intervals of equal width by their largest probability. The error is the mean over
    the examples of `|accuracy - mean probability|` of their interval (Guo et al. 2017, arXiv:1706.04599, eq. 3), in
    [0, 1].
    """
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == labels
    # An interval contains its upper end.
    of_bin = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    excess = np.bincount(of_bin, weights=correct - confidence.astype(np.float64), minlength=bins)
    return float(np.abs(excess).sum() / len(labels))


def log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean log probability of the labels, in nats. A probability of 0 counts as the smallest normal float32."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(np.log(np.maximum(chosen, np.finfo(np.float32).tiny)).mean())
