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
        """`n` samples of the method: the ones that it chooses (`ChoosesSamples`), or new ones, if `only_new` anyway."""
        if n not in self._samples:
            most = max(self._samples, default=0)
            if self._chooses:
                self._samples[n] = self.method.samples_to_evaluate(n, self.rng())
            elif n < most:  # new samples are alike, so that the first of them need not be made again
                self._samples[n] = self._samples[most][:n]
            else:
                self._samples[n] = self.method.sample(n, self.rng())
        return self._samples[n]
