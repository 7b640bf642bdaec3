"""The subject of measures: a trained method, and its samples, which all measures share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from trainables.methods.abilities import ChoosesSamples


class Subject:
    """A method under evaluation. All measures see the same samples and the same random numbers."""

    def __init__(self, method: Any, seed: int, only_new: bool = False) -> None:
        self.method = method
        self._chooses = isinstance(method, ChoosesSamples) and not only_new
        self._seed = seed
        self._samples: dict[int, Tensor] = {}

    def rng(self) -> torch.Generator:
        """A new random generator on the CPU, always in the state at the beginning of the evaluation."""
        return torch.Generator().manual_seed(self._seed)

    def samples(self, n: int) -> Tensor:
        """`n` samples of the method: the ones that it chooses (`ChoosesSamples`), or new ones, if `only_new` anyway.

        After a measure has asked for more, they are the first of those: none is made twice.
        """
        if n not in self._samples:
            most = max(self._samples, default=0)
            make = self.method.samples_to_evaluate if self._chooses else self.method.sample
            self._samples[n] = self._samples[most][:n] if n < most else make(n, self.rng())
        return self._samples[n]
