"""Precision and recall, density and coverage: do generated images look real, and do they cover the real ones?"""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.metrics.distances import CHUNK, distances_to_nearest, squared_distances


def manifold_radii(features: Tensor, k: int = 3) -> Tensor:
    """The distance `(n,)` of each of the features `(n, d)` to its `k`-th nearest other one, in float64.

    The manifold of the features is the union of the balls with these radii. Raises `ValueError` unless `k < n`, and
    if a feature is not finite.
    """
    if not features.isfinite().all():
        raise ValueError("features contain NaN or infinity.")
    if not 1 <= k < len(features):
        raise ValueError(f"{len(features)} features have no neighbour number {k}: more than {k} are needed.")
    return distances_to_nearest(features, features, k + 1)


def precision_recall(
    real: Tensor, generated: Tensor, k: int = 3, real_radii: Tensor | None = None
) -> tuple[float, float]:
    """The share of generated features on the manifold of the real ones, and the share of real features on the other.

    Improved precision and recall (Kynkaanniemi et al. 2019, arXiv:1904.06991, eq. 1 to 3). Features are `(n, d)` and
    `(m, d)`. `real_radii` is `manifold_radii(real, k)`, for callers that need it many times.

    Raises `ValueError` for features of different lengths, fewer than `k + 1` features, and values that are not finite.
    """
    _check(real, generated)
    radii = manifold_radii(real, k) if real_radii is None else real_radii
    generated_radii = manifold_radii(generated, k)
    covered = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    inside = 0
    for chunk, chunk_radii in zip(generated.split(CHUNK), generated_radii.split(CHUNK), strict=True):
        distances = squared_distances(chunk, real).sqrt_()
        inside += int((distances <= radii).any(dim=1).sum())
        covered |= (distances <= chunk_radii[:, None]).any(dim=0)
    return inside / len(generated), covered.double().mean().item()


def density_coverage(
    real: Tensor, generated: Tensor, k: int = 5, real_radii: Tensor | None = None
) -> tuple[float, float]:
    """How many real balls a generated feature lies in, divided by `k`, and the share of real balls that hold one.

    The radius of the ball around a real feature is the distance to the `k`-th nearest other one (Naeem et al. 2020,
    arXiv:2002.09797, eq. 4 and 5). Its edge is not part of it, as in their package `prdc`. Unlike precision and
    recall, both use only balls around real features, so that an outlier in either set weighs little. For equal
    distributions density is about 1 (it may be above 1), and coverage is about `1 - 0.5^k` if both sets are equally
    large. Arguments and errors are as for `precision_recall`.
    """
    _check(real, generated)
    if not generated.isfinite().all():
        raise ValueError("features contain NaN or infinity.")
    radii = manifold_radii(real, k) if real_radii is None else real_radii
    covered = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    held = 0
    for chunk in generated.split(CHUNK):
        inside = squared_distances(chunk, real).sqrt_() < radii
        held += int(inside.sum())
        covered |= inside.any(dim=0)
    return held / (k * len(generated)), covered.double().mean().item()


def _check(real: Tensor, generated: Tensor) -> None:
    if real.dim() != 2 or real.shape[1:] != generated.shape[1:]:
        raise ValueError(f"features {tuple(real.shape)} and {tuple(generated.shape)} must be (n, d) and (m, d).")
