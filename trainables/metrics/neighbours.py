"""Nearest images in pixel space: has a model memorised its training set?"""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 2048
"""Number of queries, and of images, that are compared at once."""


def nearest_neighbours(queries: Tensor, images: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """Distances `(n, k)` and indices `(n, k)` of the `k` images nearest to each query, the nearest first.

    Queries `(n, ...)` and images `(m, ...)` have one shape and one dtype. The distance is Euclidean over all
    pixels. Images move to the device of the queries, and integers become float32, a chunk at a time, so a
    memory-mapped data set is never in memory as a whole. Images at the same distance come in any order.

    Raises `ValueError` if shapes or dtypes differ, and unless `1 <= k <= m`.
    """
    if queries.shape[1:] != images.shape[1:] or queries.dtype != images.dtype:
        raise ValueError(
            f"queries ({queries.dtype}, {tuple(queries.shape[1:])}) and images ({images.dtype}, "
            f"{tuple(images.shape[1:])}) must have the same dtype and shape."
        )
    if not 1 <= k <= len(images):
        raise ValueError(f"cannot find {k} nearest among {len(images)} images.")
    found = [_search(_vectors(chunk), images, k) for chunk in queries.split(CHUNK)]
    return torch.cat([distances for distances, _ in found]), torch.cat([indices for _, indices in found])


def _search(queries: Tensor, images: Tensor, k: int) -> tuple[Tensor, Tensor]:
    distances = queries.new_empty(len(queries), 0)
    indices = torch.empty(len(queries), 0, dtype=torch.int64, device=queries.device)
    for start in range(0, len(images), CHUNK):
        chunk = _vectors(images[start : start + CHUNK].to(queries.device))
        # Distances from scalar products would not be 0 for a copy: the squares cancel.
        to_chunk = torch.cdist(queries, chunk, compute_mode="donot_use_mm_for_euclid_dist")
        of_chunk = torch.arange(start, start + len(chunk), device=queries.device).expand_as(to_chunk)
        distances = torch.cat([distances, to_chunk], dim=1)
        indices = torch.cat([indices, of_chunk], dim=1)
        distances, order = distances.topk(min(k, distances.shape[1]), dim=1, largest=False)
        indices = indices.gather(1, order)
    return distances, indices


def _vectors(images: Tensor) -> Tensor:
    return images.flatten(1) if images.is_floating_point() else images.flatten(1).float()
