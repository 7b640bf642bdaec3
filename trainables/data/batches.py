"""Which examples make up the next batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor


class EpochSampler:
    """An endless sequence of fresh permutations of `0 .. length - 1`, cut into batches of `batch_size`.

    One permutation is an epoch. Every batch is full: a batch that reaches the end of an epoch continues with the
    next permutation, where an index may come again. `batch_size` may exceed `length`.

    A permutation is drawn from `rng`, on its device, when its first index is needed. `rng` belongs to the caller, who
    may draw other things from it, and who saves its state beside the sampler's.

    Raises `ValueError` if `length` or `batch_size` is not positive.
    """

    def __init__(self, length: int, batch_size: int, rng: Generator) -> None:
        if length < 1 or batch_size < 1:
            raise ValueError(f"length {length} and batch size {batch_size} must be positive")
        self.length = length
        self.batch_size = batch_size
        self.rng = rng
        self._permutation = torch.empty(0, dtype=torch.int64, device=rng.device)
        self._position = 0

    def next(self) -> Tensor:
        """The indices of the next batch, `(batch_size,)`, int64, on the device of `rng`."""
        parts = []
        missing = self.batch_size
        while missing > 0:
            if self._position == len(self._permutation):
                self._permutation = torch.randperm(self.length, generator=self.rng, device=self.rng.device)
                self._position = 0
            part = self._permutation[self._position : self._position + missing]
            self._position += len(part)
            missing -= len(part)
            parts.append(part)
        return torch.cat(parts)

    def state_dict(self) -> dict[str, Any]:
        """The current permutation, `(length,)`, int64, empty before the first batch, and the position in it."""
        return {"permutation": self._permutation, "position": self._position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken.

        The rest of that epoch is the same in any case, later epochs only if `rng` has its state of that time, too.

        Raises `ValueError` for the state of a sampler of another length.
        """
        permutation = state["permutation"]
        if len(permutation) not in (0, self.length):
            raise ValueError(f"the state is of {len(permutation)} examples, not of {self.length}")
        self._permutation = permutation.to(self.rng.device)
        self._position = state["position"]


class EpochSamplers:
    """Several `EpochSampler`s of the same length, each with its own permutations; all draw from `rng`."""

    def __init__(self, number: int, length: int, batch_size: int, rng: Generator) -> None:
        self.samplers = [EpochSampler(length, batch_size, rng) for _ in range(number)]

    def next(self) -> Tensor:
        """The indices of the next batch of each sampler, `(number, batch_size)`."""
        return torch.stack([sampler.next() for sampler in self.samplers])

    def state_dict(self) -> dict[str, Any]:
        """The state of each sampler, by its number."""
        return {str(number): sampler.state_dict() for number, sampler in enumerate(self.samplers)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken; raises `ValueError` for the state of other samplers."""
        if len(state) != len(self.samplers):
            raise ValueError(f"the state is of {len(state)} samplers, not of {len(self.samplers)}")
        for number, sampler in enumerate(self.samplers):
            sampler.load_state_dict(state[str(number)])
