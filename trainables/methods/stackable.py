"""Methods several of whose seeds can train as one model (`trainables.stack`)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor

from trainables.methods.base import Method
from trainables.methods.scalars import Scalars, as_metrics


class Stackable(Method):
    """A method whose round is written once: for itself, and for K members of one configuration and data set at once.

    In a stack, the networks take and return tensors with a leading axis of members, `(K, B, ...)`, and the optimisers
    update all weights. All else in `state` stays with the members: a round reaches it through `members`, `each` and
    `by_member`, so that every member draws its own random numbers, in the order in which it would draw them alone.
    """

    stacks: ClassVar[bool] = False
    """Whether the class's round is written like this. It is not inherited: a subclass may have changed the round."""
    _stacked: Sequence[Self] = ()
    round: int
    """The rounds so far, one of `state`."""

    @property
    def members(self) -> Sequence[Self]:
        """The members of a stack; a method alone is its only member."""
        return self._stacked or (self,)

    def each(self, draw: Callable[..., Tensor], *values: Tensor) -> Tensor:
        """What `draw` gives for the method alone; in a stack, what it gives for each member, `(K, ...)`.

        `draw` takes a member and its part of each of `values`.
        """
        if not self._stacked:
            return draw(self, *values)
        return torch.stack([draw(member, *own) for member, *own in zip(self._stacked, *values, strict=True)])

    def by_member(self, values: Tensor) -> Sequence[Tensor]:
        """The part of `values` that belongs to each of `members`."""
        return values.unbind(0) if self._stacked else (values,)

    def keep(self, name: str, values: Tensor) -> None:
        """Give every member its number of `values`, `()` or `(K,)`, as the attribute `name`."""
        for member, own in zip(self.members, self.by_member(values), strict=True):
            setattr(member, name, own.item())

    def kept(self, name: str) -> Tensor:
        """The numbers that `keep` gave, on the device: `()` or `(K,)`."""
        return self.each(lambda member: torch.full((), getattr(member, name), device=self.device))

    @abstractmethod
    def step(self) -> Scalars:
        """Train for one round; `round` is increased."""

    def train_round(self) -> Scalars:
        return as_metrics(self.step(), self.round)
