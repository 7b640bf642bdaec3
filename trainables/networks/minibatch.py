"""Minibatch discrimination: features that say how close an example is to the others of its batch.

Salimans et al. 2016, arXiv:1606.03498, section 3.2, with the scales and the initial values of their published code.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

INITIAL_DISTANCE = 2.0
"""The mean distance of an example to the nearest other one, which the scales are initialised for.

Without that, most of `exp(-distance)` are 0 and so are their gradients.
"""


class MinibatchDiscrimination(nn.Module):
    """Features `f` `(n, A)` to `(n, A + kernels)`: `f` and, for each kernel, the closeness to the rest of the batch.

    `M_i = f_i T` has `dims` numbers for each kernel. The closeness is `sum_j exp(-||M_i - M_j||_1)` over the others, j
    not equal to i, plus a learned bias: at least 0 (alone) and at most n - 1 (all are equal) without the bias. The
    columns of `T` have learned lengths.

    It is a sum, so batches have to be of one size.
    """

    def __init__(self, features: int, kernels: int, dims: int) -> None:
        super().__init__()
        self.kernels, self.dims = kernels, dims
        self.directions = nn.Parameter(torch.empty(features, kernels * dims).normal_(0.0, 0.05))
        self.log_scales = nn.Parameter(torch.zeros(kernels, dims))
        self.bias = nn.Parameter(torch.zeros(kernels))
        self._others: Tensor | None = None

    def forward(self, f: Tensor) -> Tensor:
        projected = self._projected(f)
        if self._others is None:
            closeness = closeness_to_others(projected)
        else:
            closeness = torch.exp(-_distances(projected, self._projected(self._others))).sum(2).T
        return torch.cat([f, closeness + self.bias], dim=1)

    @contextmanager
    def comparing_with(self, others: Tensor) -> Iterator[None]:
        """Inside, each example is compared with the features `others` `(m, A)` instead of the rest of its batch.

        So its output does not depend on the batch. With `m = n - 1` it is on the scale of training with batches of n.
        """
        self._others = others
        try:
            yield
        finally:
            self._others = None

    @torch.no_grad()
    def initialise_by_data(self, f: Tensor) -> None:
        """Set the lengths and the bias by features `(n, A)`.

        Then the mean distance to the nearest other example is `INITIAL_DISTANCE` for each kernel, and the mean of each
        output 0. A kernel for which all examples are equal keeps its length.
        """
        distances = _distances(self._projected(f), self._projected(f))
        distances.diagonal(dim1=1, dim2=2).fill_(torch.inf)
        nearest = distances.amin(2).mean(1)
        self.log_scales.add_(torch.where(nearest > 0, INITIAL_DISTANCE / nearest, 1.0).log().unsqueeze(1))
        self.bias.copy_(-closeness_to_others(self._projected(f)).mean(0))

    def _projected(self, f: Tensor) -> Tensor:
        """`M` `(kernels, n, dims)`."""
        unit = nn.functional.normalize(self.directions, dim=0).unflatten(1, (self.kernels, self.dims))
        return torch.einsum("na,akd->knd", f, unit * self.log_scales.exp())


def closeness_to_others(projected: Tensor) -> Tensor:
    """`o_ik = sum over j != i of exp(-||M_ik - M_jk||_1)`, `(n, kernels)`, of `M` `(kernels, n, dims)`."""
    # The distance of an example to itself is exactly 0, whose exponential is 1.
    return torch.exp(-_distances(projected, projected)).sum(2).sub(1.0).T


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """L1 distances `(kernels, n, m)` between `(kernels, n, dims)` and `(kernels, m, dims)`."""
    return torch.cdist(a, b, p=1.0)
