"""From uint8 images, as in files and in the cache, to floats in [-1, 1], as in networks, and back."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def to_tensor(images: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """uint8 images `(N, C, H, W)` as floats in [-1, 1] on `device`: 0 -> -1, 255 -> 1. Points are not scaled.

    The type is torch's default, float32 if nobody has changed it.
    """
    # A copy, because memory-mapped images are read-only and tensors cannot be.
    return to_floats(torch.from_numpy(np.array(images, order="C")).to(device))


def to_floats(images: Tensor) -> Tensor:
    """As `to_tensor`, on the device that the images are on."""
    floats = images.to(torch.get_default_dtype())
    return floats if images.is_floating_point() else floats.div_(127.5).sub_(1.0)


def to_levels(images: Tensor) -> Tensor:
    """The inverse of `to_floats`: values are clamped to [-1, 1] and rounded to the nearest level, uint8."""
    return images.detach().clamp(-1.0, 1.0).add(1.0).mul(127.5).round().to(torch.uint8)


def to_uint8(images: Tensor) -> np.ndarray:
    """The inverse of `to_tensor`, by `to_levels`."""
    return to_levels(images).cpu().numpy()
