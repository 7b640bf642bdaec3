"""What measures are given: a trained method, and samples of it that they share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from trainables.methods.abilities import ChoosesSamples


class Subject:
    """A method under evaluation. Every measure sees the same samples, and the same random numbers each time."""

    def __init__(self, method: Any, seed: int) -> None:
        self.method = method
        self._seed = seed
        self._samples: dict[int, Tensor] = {}

    def rng(self) -> torch.Generator:
        """A new generator, on the CPU, in the state that the evaluation begins with."""
        return torch.Generator().manual_seed(self._seed)

    def samples(self, n: int) -> Tensor:
        """`n` samples of the method: those that it chooses to be evaluated by, or new ones."""
        if n not in self._samples:
            chosen = isinstance(self.method, ChoosesSamples)
            make = self.method.samples_to_evaluate if chosen else self.method.sample
            self._samples[n] = make(n, self.rng())
        return self._samples[n]
