"""Data sets so small that a round takes milliseconds."""

from __future__ import annotations

import numpy as np

from trainables.data.dataset import Dataset, Split


def tiny_images() -> Dataset:
    """60 training and 20 test images: random, 1x8x8, of 3 classes."""
    rng = np.random.default_rng(0)

    def split(n: int) -> Split:
        return Split(rng.integers(0, 256, (n, 1, 8, 8), dtype=np.uint8), np.arange(n) % 3)

    return Dataset("tiny", split(60), split(20), num_classes=3)


def tiny_points() -> Dataset:
    """60 training and 20 test points: random, in [-1, 1]^2, of 3 classes."""
    rng = np.random.default_rng(0)

    def split(n: int) -> Split:
        return Split(rng.uniform(-1, 1, (n, 2)).astype(np.float32), np.arange(n) % 3)

    return Dataset("tiny", split(60), split(20), num_classes=3)
