"""The training images nearest to given images, by pixels. The training set is never in memory as floats."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from trainables.data.tensors import to_tensor
from trainables.metrics.distances import squared_distances

PIXELS_HELD = 4_000_000
"""Pixels of training images that are in memory as floats at once: 32 MB in float64."""


@torch.inference_mode()
def nearest_training_images(images: Tensor, training_images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances and indices, both `(n,)`, of the training images nearest to images `(n, C, H, W)` in [-1, 1].

    Training images are uint8, `(m, C, H, W)`. They are read a chunk at a time, so they may be memory-mapped. Distances
    are Euclidean over all pixels in [-1, 1], and float64.
    """
    vectors = images.flatten(1)
    nearest = torch.full((len(images),), torch.inf, dtype=torch.float64, device=images.device)
    indices = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    rows = max(1, PIXELS_HELD // math.prod(training_images.shape[1:]))
    for start in range(0, len(training_images), rows):
        chunk = to_tensor(training_images[start : start + rows], images.device).flatten(1)
        of_chunk, at = squared_distances(vectors, chunk).min(dim=1)
        indices = torch.where(of_chunk < nearest, at + start, indices)
        nearest = torch.minimum(nearest, of_chunk)
    return nearest.sqrt().cpu().numpy(), indices.cpu().numpy()


def distances_to_training(images: Tensor, training_images: np.ndarray) -> np.ndarray:
    """The distances of `nearest_training_images`."""
    return nearest_training_images(images, training_images)[0]
