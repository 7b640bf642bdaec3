"""Statistics of a data set's pixels, computed a chunk at a time: the whole set is never in memory as floats."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

CHUNK = 4096


def pixel_statistics(examples: np.ndarray, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Mean and variance (divided by N) of each pixel, both `shape`, float32, in the range that `to_tensor` gives.

    `examples` `(N, *shape)` are uint8 images, whose statistics are scaled to [-1, 1], or points, which are not scaled.
    """
    total = np.zeros(examples.shape[1:])
    squares = np.zeros(examples.shape[1:])
    for start in range(0, len(examples), CHUNK):
        chunk = np.asarray(examples[start : start + CHUNK], dtype=np.float64)
        total += chunk.sum(axis=0)
        squares += np.square(chunk).sum(axis=0)
    mean = total / len(examples)
    variance = np.maximum(squares / len(examples) - mean**2, 0.0)
    if examples.dtype == np.uint8:
        mean, variance = mean / 127.5 - 1.0, variance / 127.5**2
    means, variances = (torch.from_numpy(x.astype(np.float32)).to(device) for x in (mean, variance))
    return means, variances
