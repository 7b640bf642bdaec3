"""The Frechet distance between Gaussians fitted to two sets of features.

`d^2 = |m1 - m2|^2 + tr(S1) + tr(S2) - 2 tr sqrt(S1 S2)` (Heusel et al. 2017, arXiv:1706.08500, eq. 6), which
is called FID where the features are Inception's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCK = 256
"""Columns of a triangular matrix that are multiplied at once. The zeros above them are left out."""


@dataclass(frozen=True)
class ReferenceStatistics:
    """What `frechet_distance` needs of the reference features; all arrays are float64.

    `mean` is `(d,)`, and `covariance` `(d, d)` is unbiased (divided by `count - 1`). `covariance_root` is a matrix
    `(d, r)` with `covariance_root @ covariance_root.T == covariance`. It is 0 above its diagonal, and `r <= d` is the
    rank of the covariance. `count` is the number of samples.
    """

    mean: np.ndarray
    covariance: np.ndarray
    covariance_root: np.ndarray
    count: int


def reference_statistics(features: np.ndarray) -> ReferenceStatistics:
    """Fit a Gaussian to reference features `(n, d)`, once for many calls of `frechet_distance`.

    Raises `ValueError` unless they are at least two finite floating-point vectors.
    """
    mean, centred = _centre(features)
    covariance = centred.T @ centred / (len(centred) - 1)
    return ReferenceStatistics(mean, covariance, _root(covariance), len(centred))


def frechet_distance(reference: ReferenceStatistics, features: np.ndarray) -> float:
    """Frechet distance, >= 0, of the Gaussian fitted to `features` `(n, d)` to the reference.

    With `S1 = R R^T` (the reference) and `S2 = A^T A` (the centred features divided by `sqrt(n - 1)`), the
    non-zero eigenvalues of `S1 S2` are those of `R^T S2 R` and of `(A R) (A R)^T`; with fewer samples than
    dimensions the second is smaller. Both are symmetric and positive semi-definite: no complex roots, and
    neither few samples nor singular covariances need special treatment.

    Raises `ValueError` unless `features` are at least two finite floating-point vectors of the
    reference's length.
    """
    mean, centred = _centre(features)
    _check_length(reference, mean)
    factor = centred / np.sqrt(len(centred) - 1)
    if len(factor) >= reference.covariance_root.shape[1]:
        return frechet_distance_of_moments(reference, mean, factor.T @ factor)
    projected = _times_triangle(factor, reference.covariance_root)
    return _distance(reference, mean, float(np.square(factor).sum()), projected @ projected.T)


def frechet_distance_of_moments(reference: ReferenceStatistics, mean: np.ndarray, covariance: np.ndarray) -> float:
    """Frechet distance, >= 0, of the Gaussian with `mean` `(d,)` and `covariance` `(d, d)` to the reference.

    Raises `ValueError` if they are not of the reference's length.
    """
    _check_length(reference, mean)
    root = reference.covariance_root
    product = _times_triangle(covariance, root)
    gram = np.empty((root.shape[1], root.shape[1]))
    for start, stop in _blocks(root.shape[1]):
        # `eigvalsh` reads the lower triangle alone.
        gram[start:stop, :stop] = root[start:, start:stop].T @ product[start:, :stop]
    return _distance(reference, mean, float(np.trace(covariance)), gram)


def _distance(reference: ReferenceStatistics, mean: np.ndarray, trace: float, gram: np.ndarray) -> float:
    """`gram` is symmetric, with the non-zero eigenvalues of `S1 S2`; its lower triangle is enough."""
    # Rounding makes zero eigenvalues slightly negative, and equal sets slightly closer than 0.
    trace_of_root = np.sqrt(np.linalg.eigvalsh(gram).clip(min=0.0)).sum()
    traces = np.trace(reference.covariance) + trace
    return max(0.0, float(np.square(mean - reference.mean).sum() + traces - 2.0 * trace_of_root))


def _times_triangle(matrix: np.ndarray, root: np.ndarray) -> np.ndarray:
    """`matrix @ root`, where `root` is 0 above its diagonal: half of the multiplications."""
    product = np.empty((len(matrix), root.shape[1]))
    for start, stop in _blocks(root.shape[1]):
        product[:, start:stop] = matrix[:, start:] @ root[start:, start:stop]
    return product


def _blocks(columns: int) -> list[tuple[int, int]]:
    return [(start, min(start + BLOCK, columns)) for start in range(0, columns, BLOCK)]


def _check_length(reference: ReferenceStatistics, mean: np.ndarray) -> None:
    if mean.shape != reference.mean.shape:
        raise ValueError(f"features have length {len(mean)}, the reference has length {len(reference.mean)}.")


def _centre(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean `(d,)` and deviations from it `(n, d)`, in float64."""
    if features.ndim != 2 or not np.issubdtype(features.dtype, np.floating):
        raise ValueError(f"features must be floats (n, d), not {features.dtype} {features.shape}.")
    if len(features) < 2:
        raise ValueError(f"a covariance needs at least 2 samples, there are {len(features)}.")
    if not np.isfinite(features).all():
        raise ValueError("features contain NaN or infinity.")
    features = features.astype(np.float64)
    mean = features.mean(axis=0)
    return mean, features - mean


def _root(covariance: np.ndarray) -> np.ndarray:
    """`R` `(d, r)`, 0 above its diagonal, with `R R^T = covariance`, of any rank `r`.

    Multiply each eigenvector by the root of its eigenvalue: this is a root, and its QR decomposition makes it
    triangular. Directions without variance are left out. The root of their rounding error would be about 1e-8 of the
    largest eigenvalue, which over a thousand directions would change the distance.
    """
    eigenvalues, eigenvectors = np.linalg.eigh(covariance)
    # The tolerance of `numpy.linalg.matrix_rank`.
    kept = eigenvalues > eigenvalues[-1] * len(eigenvalues) * np.finfo(np.float64).eps
    full = eigenvectors[:, kept] * np.sqrt(eigenvalues[kept])
    return np.ascontiguousarray(np.linalg.qr(full.T).R.T)
