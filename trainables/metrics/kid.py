"""The kernel distance between two sets of features, which is called KID where the features are Inception's."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

CHUNK = 2048
"""Rows of a kernel matrix that are in memory at once."""


def kernel_distance(
    real: Tensor, generated: Tensor, subsets: int = 100, subset_size: int = 1000, seed: int = 2020
) -> tuple[float, float]:
    """Mean and standard deviation over random subsets of the squared maximum mean discrepancy of two sets of features.

    The kernel is `(x y / d + 1)^3`. The estimate is unbiased (Binkowski et al. 2018, arXiv:1801.01401, section 4), so
    it may be slightly negative for equal distributions. Features are `(n, d)` and `(m, d)`; the computation is in
    float64, on their device. Subsets are drawn without replacement, the same as torch-fidelity draws with this seed.

    Raises `ValueError` if the features are of different lengths or not finite, and if a set has fewer than
    `subset_size` of them.
    """
    _check(real, generated, subset_size)
    rng = np.random.RandomState(seed)
    drawn = [[rng.choice(len(x), subset_size, replace=False) for x in (generated, real)] for _ in range(subsets)]
    of_generated, of_real = (torch.from_numpy(np.array(chosen)).to(real.device) for chosen in zip(*drawn, strict=True))
    real, generated = real.double(), generated.double()
    within = _sums_within(real, of_real) + _sums_within(generated, of_generated)
    between = _sums(generated, real, of_generated, of_real)
    estimates = within / (subset_size * (subset_size - 1)) - 2 * between / subset_size**2
    return estimates.mean().item(), estimates.std(correction=0).item()


def _sums_within(x: Tensor, subsets: Tensor) -> Tensor:
    """The sum of the kernel over the pairs of different vectors of each subset."""
    of_itself = (x.square().sum(1) / x.shape[1] + 1) ** 3
    return _sums(x, x, subsets, subsets) - of_itself[subsets].sum(1)


def _sums(x: Tensor, y: Tensor, of_x: Tensor, of_y: Tensor) -> Tensor:
    """The sum of the kernel over all pairs of two subsets; `of_x` and `of_y` are indices `(subsets, size)`.

    Subsets overlap. Unless the sets are too large for that to pay, each value of the kernel is computed once, and
    summed over a subset by a product with the subset's indicator.
    """
    if len(x) * len(y) > of_x.numel() * of_y.shape[1]:
        return torch.stack([_kernel(x[i], y[j]).sum() for i, j in zip(of_x, of_y, strict=True)])
    in_x, in_y = _indicators(of_x, len(x)), _indicators(of_y, len(y))
    sums = in_x.new_zeros(len(of_x))
    for start in range(0, len(x), CHUNK):
        rows = slice(start, start + CHUNK)
        sums += (in_x[:, rows] @ _kernel(x[rows], y) * in_y).sum(1)
    return sums


def _indicators(subsets: Tensor, n: int) -> Tensor:
    zeros = torch.zeros(len(subsets), n, dtype=torch.float64, device=subsets.device)
    return zeros.scatter_(1, subsets, 1.0)


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    scaled = (x @ y.T).div_(x.shape[1]).add_(1.0)
    return scaled * scaled.square()


def _check(real: Tensor, generated: Tensor, subset_size: int) -> None:
    if real.dim() != 2 or real.shape[1:] != generated.shape[1:]:
        raise ValueError(f"features {tuple(real.shape)} and {tuple(generated.shape)} must be (n, d) and (m, d).")
    if not 2 <= subset_size <= min(len(real), len(generated)):
        raise ValueError(
            f"subsets of {subset_size} cannot be drawn from {len(real)} real and {len(generated)} generated features."
        )
    if not (real.isfinite().all() and generated.isfinite().all()):
        raise ValueError("features contain NaN or infinity.")
