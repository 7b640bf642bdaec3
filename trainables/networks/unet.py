"""A small U-Net that is told the time: the velocity of a flow (Ho et al. 2020, appendix B, without attention)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.networks.residual import smallest_maps

GROUPS = 8
"""Of GroupNorm, at most. A group has at least four maps: in a group of one, what the time adds would be removed."""
TIME_UNITS = 64
FREQUENCIES = 16
SLOWEST, FASTEST = 1.0, 1000.0


class TimedBlock(nn.Module):
    """Two 3x3 convolutions, each after GroupNorm and SiLU, with a shortcut; a layer of the time is added between them.

    Maps `(B, inputs, H, W)` and features of the time `(B, TIME_UNITS)` become `(B, outputs, H, W)`.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.time = nn.Linear(TIME_UNITS, outputs)
        self.second = nn.Sequential(_norm(outputs), nn.SiLU(), nn.Conv2d(outputs, outputs, 3, padding=1))
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        return self.shortcut(x) + self.second(self.first(x) + self.time(time)[:, :, None, None])


class UNet(nn.Module):
    """A block and a halving of the sides for each number of maps but the last, then the way back with shortcuts.

    `maps` are the numbers of maps from the image on. Images `(B, *shape)` and times `(B,)` in [0, 1] become velocities
    `(B, *shape)`, which are 0 before training. Raises `InputError` for sides that cannot be halved often enough.
    """

    def __init__(self, shape: Sequence[int], maps: Sequence[int]) -> None:
        super().__init__()
        smallest_maps(shape, len(maps) - 1)
        self.time = nn.Sequential(
            nn.Linear(2 * FREQUENCIES, TIME_UNITS), nn.SiLU(), nn.Linear(TIME_UNITS, TIME_UNITS), nn.SiLU()
        )
        self.entry = nn.Conv2d(shape[0], maps[0], 3, padding=1)
        before = [maps[0], *maps[:-1]]
        self.down = nn.ModuleList(TimedBlock(b, m) for b, m in zip(before, maps, strict=True))
        self.halvings = nn.ModuleList(nn.Conv2d(m, m, 3, 2, padding=1) for m in maps[:-1])
        self.middle = nn.ModuleList(TimedBlock(maps[-1], maps[-1]) for _ in range(2))
        self.doublings = nn.ModuleList(nn.Conv2d(m, b, 3, padding=1) for b, m in pairwise(maps))
        self.up = nn.ModuleList(TimedBlock(2 * m, m) for m in maps[:-1])
        last = nn.Conv2d(maps[0], shape[0], 3, padding=1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.exit = nn.Sequential(_norm(maps[0]), nn.SiLU(), last)

    def forward(self, x: Tensor, times: Tensor) -> Tensor:
        time = self.time(waves(times))
        x = self.entry(x)
        skipped = []
        for level, block in enumerate(self.down):
            x = block(x, time)
            if level < len(self.halvings):
                skipped.append(x)
                x = self.halvings[level](x)
        for block in self.middle:
            x = block(x, time)
        for level in reversed(range(len(self.up))):
            x = self.doublings[level](F.interpolate(x, scale_factor=2.0, mode="nearest"))
            x = self.up[level](torch.cat([x, skipped[level]], dim=1), time)
        return self.exit(x)


def waves(times: Tensor) -> Tensor:
    """Sines and cosines `(B, 2 * FREQUENCIES)` of times `(B,)`, of frequencies from `SLOWEST` to `FASTEST`."""
    share = torch.arange(FREQUENCIES, dtype=times.dtype, device=times.device) / (FREQUENCIES - 1)
    angles = times[:, None] * SLOWEST * (FASTEST / SLOWEST) ** share
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _norm(maps: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(GROUPS, maps // 4) if maps % 4 == 0 else 1, maps)
