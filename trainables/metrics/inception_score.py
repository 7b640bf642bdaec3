"""The Inception Score: is each image classified with certainty, and is each class made equally often?"""

from __future__ import annotations

import numpy as np


def inception_score(probabilities: np.ndarray, splits: int = 1) -> tuple[float, float]:
    """Mean and standard deviation over `splits` of `exp(mean KL(p(y|x) || p(y)))`.

    The score (Salimans et al. 2016, arXiv:1606.03498, section 4) lies between 1 and the number of classes;
    `p(y)` is the mean over the images of a split. Splits are consecutive, split `i` from `i * n // splits`
    up to `(i + 1) * n // splits`, as in torch-fidelity: shuffle the images first if their order means
    something.

    `probabilities` are `(n, K)`, rows that sum to 1. Raises `ValueError` if they are not, and unless
    `1 <= splits <= n`.
    """
    _check(probabilities, splits)
    p = probabilities.astype(np.float64)
    n = len(p)
    scores = [_score(p[i * n // splits : (i + 1) * n // splits]) for i in range(splits)]
    return float(np.mean(scores)), float(np.std(scores))


def _score(p: np.ndarray) -> float:
    # KL averaged over the images is H(mean p) - mean H(p), where p log p -> 0 as p -> 0.
    return float(np.exp(_entropy(p.mean(axis=0)) - _entropy(p).mean()))


def _entropy(p: np.ndarray) -> np.ndarray:
    return -(p * np.log(p, out=np.zeros_like(p), where=p > 0)).sum(axis=-1)


def _check(probabilities: np.ndarray, splits: int) -> None:
    if probabilities.ndim != 2 or not np.issubdtype(probabilities.dtype, np.floating):
        raise ValueError(f"probabilities must be floats (n, K), not {probabilities.dtype} {probabilities.shape}.")
    if not 1 <= splits <= len(probabilities):
        raise ValueError(f"{len(probabilities)} images cannot be cut into {splits} splits.")
    # Negated so that NaN fails, too.
    if not (probabilities >= 0).all() or not np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-4):
        raise ValueError("probabilities must be non-negative and sum to 1 in every row.")
