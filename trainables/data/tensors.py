"""Images as files and the cache hold them, uint8, and as networks take them, floats in [-1, 1]."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def to_tensor(images: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """uint8 images `(N, C, H, W)` as float32 in [-1, 1] on `device`: 0 -> -1, 255 -> 1. Points stay what they are."""
    # A copy, because memory-mapped images are read-only and tensors cannot be.
    copied = torch.from_numpy(np.array(images, order="C")).to(device)
    return copied if copied.is_floating_point() else copied.float().div_(127.5).sub_(1.0)


def to_uint8(images: Tensor) -> np.ndarray:
    """The inverse of `to_tensor`: values outside [-1, 1] are clamped, the rest rounded to the nearest."""
    return images.detach().clamp(-1.0, 1.0).add(1.0).mul(127.5).round().to(torch.uint8).cpu().numpy()
