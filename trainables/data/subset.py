"""A part of a data set, the same in every process."""

from __future__ import annotations

import numpy as np


def choose(images: np.ndarray, n: int, seed: int) -> np.ndarray:
    """`n` of the images without replacement, in their order; all of them where there are no more."""
    if len(images) <= n:
        return images
    chosen = np.random.default_rng(seed).choice(len(images), n, replace=False)
    return images[np.sort(chosen)]
