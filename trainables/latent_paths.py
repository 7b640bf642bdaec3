"""Paths between latents: as straight, or as spherical, as the prior is ([Kitov]; Shoemake 1985)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from trainables.methods.latents import Distribution

Path = Literal["linear", "spherical"]

PATH_OF: dict[Distribution, Path] = {"uniform": "linear", "normal": "spherical"}
"""A line stays inside a cube. Normal latents lie near a sphere, and the middle of a line between two is far inside."""

PARALLEL = 1e-4
"""Below this angle, in radians, the sphere is a plane."""


def linear(first: Tensor, second: Tensor, t: Tensor) -> Tensor:
    """Points `(n, k, d)` on the lines from `first` to `second` `(n, d)`, at the shares `t` `(k,)` of the way."""
    t = t[None, :, None]
    return (1 - t) * first[:, None] + t * second[:, None]


def spherical(first: Tensor, second: Tensor, t: Tensor) -> Tensor:
    """As `linear`, on great circles: `sin((1-t)w)/sin(w) a + sin(tw)/sin(w) b`, `w` the angle between `a` and `b`.

    Where they are nearly parallel, or one is 0, on the line. Where they are opposite no circle is the only one, and the
    result is one of large numbers.
    """
    cosine = torch.nn.functional.cosine_similarity(first, second, dim=1)[:, None, None]
    angle = torch.acos(cosine.clamp(-1, 1))
    t_ = t[None, :, None]
    weights = (torch.sin((1 - t_) * angle), torch.sin(t_ * angle))
    on_circle = (weights[0] * first[:, None] + weights[1] * second[:, None]) / torch.sin(angle).clamp_min(1e-12)
    short = (angle < PARALLEL) | (first.norm(dim=1) * second.norm(dim=1) == 0)[:, None, None]
    return torch.where(short, linear(first, second, t), on_circle)


PATHS: dict[Path, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"linear": linear, "spherical": spherical}


def relative_length(points: Tensor) -> float:
    """The length of paths `(n, k, ...)`, each divided by the distance of its ends, as a mean: at least 1."""
    steps = _steps(points).sum(1)
    ends = (points[:, -1] - points[:, 0]).flatten(1).norm(dim=1)
    return float((steps / ends.clamp_min(1e-12)).mean())


def largest_step(points: Tensor) -> float:
    """The largest step of paths `(n, k, ...)`, each divided by its mean step, as a mean: 1 without jumps."""
    steps = _steps(points)
    return float((steps.amax(1) / steps.mean(1).clamp_min(1e-12)).mean())


def _steps(points: Tensor) -> Tensor:
    """The lengths `(n, k - 1)` of the steps."""
    return points.flatten(2).diff(dim=1).norm(dim=2)
