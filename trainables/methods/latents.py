"""Latents: the random numbers that generators turn into samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Distribution = Literal["uniform", "normal"]


@dataclass(frozen=True)
class Latents:
    """`dim` independent numbers, uniform in [-scale, scale] or normal with the deviation `scale`."""

    distribution: Distribution
    dim: int
    scale: float = 1.0

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw `n` latents `(n, dim)` from `rng`, on its device."""
        if self.distribution == "normal":
            return self.scale * torch.randn(n, self.dim, generator=rng, device=rng.device)
        return self.scale * (2.0 * torch.rand(n, self.dim, generator=rng, device=rng.device) - 1.0)
