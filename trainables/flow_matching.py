"""Flow matching as pure functions: straight paths from noise to data, and their integration (Lipman et al. 2023).

A path starts at `x0`, normal noise, at time 0, and ends at `x1`, an example, at time 1. A network learns the mean
velocity of all paths that pass a point `x` at time `t`. Following this velocity turns noise into data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

TimeSampling = Literal["logit_normal", "uniform"]

Velocity = Callable[[Tensor, Tensor], Tensor]
"""Points `(B, ...)` and their times `(B,)` to velocities `(B, ...)`."""


def draw_times(n: int, sampling: TimeSampling, rng: torch.Generator) -> Tensor:
    """`n` times in [0, 1], from `rng`, on its device.

    "logit_normal" is the sigmoid of a standard normal number, which is seldom near 0 or 1 (Esser et al. 2024).
    """
    if sampling == "uniform":
        return torch.rand(n, generator=rng, device=rng.device)
    return torch.randn(n, generator=rng, device=rng.device).sigmoid()


def matching_loss(velocity: Velocity, x0: Tensor, x1: Tensor, times: Tensor) -> Tensor:
    """Mean squared error of the velocity at `(1 - t) x0 + t x1`, whose target is `x1 - x0`. A scalar.

    It is minimal, but not 0, at the mean of `x1 - x0` over all paths through the point.
    """
    t = times.view(-1, *[1] * (x1.dim() - 1))
    return (velocity((1 - t) * x0 + t * x1, times) - (x1 - x0)).square().mean()


def integrate(velocity: Velocity, x: Tensor, steps: int) -> Tensor:
    """Follow `velocity` from time 0 to 1 in equal steps of Heun's method, the last of which is one of Euler's.

    That takes `2 * steps - 1` evaluations of `velocity`. The error is of the order of `1 / steps^2`.
    """
    for step in range(steps):
        first = velocity(x, x.new_full((len(x),), step / steps))
        guess = x + first / steps
        if step == steps - 1:
            return guess
        second = velocity(guess, x.new_full((len(x),), (step + 1) / steps))
        x = x + (first + second) / (2 * steps)
    return x
