"""Distances between all pairs of two sets of vectors, for metrics that compare neighbourhoods."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 2048
"""Number of vectors whose distances to all others are in memory at once."""


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Squared Euclidean distances `(n, m)`, float64, of vectors `(n, d)` and `(m, d)`, by scalar products.

    They are never below 0. The distance of a vector to itself is 0 up to rounding: 1e-15 of its squared length.
    """
    x, y = x.double(), y.double()
    lengths = x.square().sum(1, keepdim=True) + y.square().sum(1)
    return torch.addmm(lengths, x, y.T, alpha=-2.0).clamp_(min=0.0)


def distances_to_nearest(x: Tensor, y: Tensor, k: int = 1) -> Tensor:
    """Distance `(n,)`, float64, of each of `x` `(n, d)` to the `k`-th nearest of `y` `(m, d)`, on the device of `x`.

    Where `x` is `y`, each vector is its own nearest, `k = 1`. Raises `ValueError` unless `1 <= k <= m`.
    """
    if not 1 <= k <= len(y):
        raise ValueError(f"there is no neighbour {k} among {len(y)}.")
    x, y = x.double(), y.to(x.device).double()
    found = [squared_distances(chunk, y).kthvalue(k, dim=1).values for chunk in x.split(CHUNK)]
    return torch.cat(found).sqrt()
