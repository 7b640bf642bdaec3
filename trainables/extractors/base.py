"""What the feature extractors have in common."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from trainables.data.tensors import to_tensor

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


def check_images(images: Tensor, network: str) -> None:
    """Raise `ValueError` unless images are floats of a shape that networks for colour images can take."""
    if images.dim() != 4 or images.shape[1] not in (1, 3) or not images.is_floating_point():
        raise ValueError(
            f"{network} takes floating-point images (n, 1 or 3, H, W), not {images.dtype} {tuple(images.shape)}."
        )


def to_rgb(images: Tensor) -> Tensor:
    """RGB images in [0, 1] of images in [-1, 1]: rounded to 8 bits, as in a file, gray repeated to three channels."""
    return images.add(1.0).mul(127.5).round().div(255.0).expand(-1, 3, -1, -1)


CHUNK = 1000
"""Images that are held as floats at once."""


def images_at_once(shape: tuple[int, ...], most: int) -> int:
    """How many images of this shape `(C, H, W)` are computed on at once: `most`, fewer if they are above 64x64."""
    return max(1, min(most, most * 64 * 64 // math.prod(shape[1:])))


def extract_array(extractor: Extractor, images: np.ndarray) -> Extracted:
    """Features and class probabilities of an array of images `(n, C, H, W)`, uint8 or floats in [-1, 1]."""
    chunk = images_at_once(images.shape[1:], CHUNK)
    parts = [extractor(to_tensor(images[start : start + chunk]).float()) for start in range(0, len(images), chunk)]
    features, probabilities = zip(*parts, strict=True)
    return np.concatenate(features), np.concatenate(probabilities)


BATCH_ON_GPU = 500
"""Enough to keep a GPU busy; more would only take memory from the trials that share it."""


def in_batches(extract: Callable[[Tensor], Extracted], images: Tensor, device: torch.device, on_cpu: int) -> Extracted:
    """`extract` the images in batches of `on_cpu` on the CPU, and of `BATCH_ON_GPU`, or fewer if need be, on a GPU.

    Raises `ValueError` for NaN, an empty set, and values outside [-1, 1].
    """
    if not len(images) or not bool((images.abs() <= 1.0).all()):  # False for NaN, too
        raise ValueError("there must be at least one image, and all values must be in [-1, 1].")
    size = min(len(images), on_cpu if device.type == "cpu" else images_at_once(tuple(images.shape[1:]), BATCH_ON_GPU))
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
