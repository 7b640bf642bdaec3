"""What the feature extractors have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

Extracted = tuple[np.ndarray, np.ndarray]
"""Features `(n, F)` and class probabilities `(n, K)`, float64."""


class Extractor(Protocol):
    """A network that gives features and class probabilities of images, with a version and a checksum.

    Metrics on its features end in its `name`.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    def __call__(self, images: Tensor) -> Extracted:
        """Features and class probabilities of images `(n, C, H, W)` in [-1, 1]; raises `ValueError` for others."""


BATCH_ON_GPU = 500
"""Enough to keep a GPU busy; more would only take memory from the trials that share it."""


def in_batches(extract: Callable[[Tensor], Extracted], images: Tensor, device: torch.device, on_cpu: int) -> Extracted:
    """`extract` the images in batches of `on_cpu` on the CPU, and of `BATCH_ON_GPU`, or fewer if need be, on a GPU.

    Raises `ValueError` for NaN, an empty set, and values outside [-1, 1].
    """
    if not len(images) or not bool((images.abs() <= 1.0).all()):  # False for NaN, too
        raise ValueError("there must be at least one image, and all values must be in [-1, 1].")
    size = min(len(images), on_cpu if device.type == "cpu" else BATCH_ON_GPU)
    parts, start = [], 0
    while start < len(images):
        try:
            parts.append(extract(images[start : start + size]))
            start += size
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            size = -(-size // 2)
    features, probabilities = zip(*parts, strict=True)
    return np.concatenate(features), np.concatenate(probabilities)
