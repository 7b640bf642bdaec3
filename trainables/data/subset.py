"""A part of a data set, the same in every process."""

from __future__ import annotations

import numpy as np


def choose(images: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Choose `n` of the images without replacement, in their own order; all of them if there are no more than `n`."""
    if len(images) <= n:
        return images
    chosen = np.random.default_rng(seed).choice(len(images), n, replace=False)
    return images[np.sort(chosen)]
