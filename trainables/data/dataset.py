"""A data set as the rest of the project sees it: two memory-mapped splits, of uint8 images or float32 points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Split:
    """Images `(N, C, H, W)`, uint8, or points `(N, d)`, float32.

    Labels, if there are any, are `(N,)`, int64, in `[0, num_classes)`.
    """

    examples: np.ndarray
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.examples)


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
        return self.train.examples.shape[1:]
