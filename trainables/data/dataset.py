"""What a data set is to the rest of the project: two splits, memory-mapped, of uint8 images or float32 points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Split:
    """Images `(N, C, H, W)`, uint8, or points `(N, d)`, float32.

    Where there are labels, they are `(N,)`, int64, in `[0, num_classes)`.
    """

    images: np.ndarray
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Dataset:
    """A training and a test split of the same shape; `num_classes` is None for unlabelled data."""

    name: str
    train: Split
    test: Split
    num_classes: int | None

    @property
    def shape(self) -> tuple[int, ...]:
        """`(C, H, W)` of one image, `(d,)` of one point."""
        return self.train.images.shape[1:]


def to_tensor(images: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """uint8 images `(N, C, H, W)` as float32 in [-1, 1] on `device`: 0 -> -1, 255 -> 1. Points stay what they are."""
    # A copy, because memory-mapped images are read-only and tensors cannot be.
    copied = torch.from_numpy(np.array(images, order="C")).to(device)
    return copied if copied.is_floating_point() else copied.float().div_(127.5).sub_(1.0)


def to_uint8(images: Tensor) -> np.ndarray:
    """The inverse of `to_tensor`: values outside [-1, 1] are clamped, the rest rounded to the nearest."""
    return images.detach().clamp(-1.0, 1.0).add(1.0).mul(127.5).round().to(torch.uint8).cpu().numpy()
