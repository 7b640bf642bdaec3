"""Several members of one configuration as one stacked model: made of them for some rounds, then written back.

Each member's numbers are those that it would get alone, up to rounding: sums are taken in another order.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainables.methods.base import Method
from trainables.methods.stackable import Stackable
from trainables.networks.stacked import NotStackableError, stacked

Round = dict[str, Tensor | float]


class Stack:
    """Members (`Stackable`) that have trained for the same rounds, alike but for their seeds.

    The members do not change until `write_back`, except for what a stack leaves with them. Then each is as if it had
    trained alone. Raises `NotStackableError` where a network cannot be stacked.
    """

    def __init__(self, members: Sequence[Stackable]) -> None:
        first = members[0]
        if not vars(type(first)).get("stacks"):
            raise NotStackableError(f"{type(first).__name__} trains one seed after the other")
        self.members = members
        self.method = copy.copy(first)
        self.method._stacked = members
        self._tensors: list[tuple[Tensor, list[Tensor]]] = []
        """Each tensor of the stacked networks, with the members' own."""
        self._optimizers: list[str] = []
        for name in first.state:
            own = [getattr(member, name) for member in members]
            if isinstance(own[0], nn.Module) and any(True for _ in own[0].parameters()):
                network = stacked(own)
                self._tensors += zip(_tensors(network), map(list, zip(*map(_tensors, own), strict=True)), strict=True)
                setattr(self.method, name, network)
            elif isinstance(own[0], Optimizer):
                self._optimizers.append(name)
            elif isinstance(own[0], bool | int | float | str | None) and all(value == own[0] for value in own):
                continue  # the round, for one
            else:
                delattr(self.method, name)  # a step that reaches for it would get that of one member
        del self.method.rng
        for name in self._optimizers:
            setattr(self.method, name, self._optimizer([getattr(member, name) for member in members]))

    @property
    def defers(self) -> bool:
        """Whether the metrics of members stay tensors, on an accelerator, so that the host need not wait each round."""
        return self.method.device.type != "cpu"

    def train_round(self) -> list[Round]:
        """Train all members for one round; the metrics of each, which may be NaN or infinite."""
        metrics = self.method.step()
        tensors = {name: value for name, value in metrics.items() if isinstance(value, Tensor)}
        same = {name: float(value) for name, value in metrics.items() if not isinstance(value, Tensor)}
        by_member = torch.stack([value.detach() for value in tensors.values()], 1)
        rows = by_member if self.defers else by_member.tolist()
        return [{**same, **dict(zip(tensors, row, strict=True))} for row in rows]

    @torch.no_grad()
    def write_back(self) -> None:
        """Give every member its weights, the state of its optimisers, and the number of its rounds."""
        for value, own in self._tensors:
            for k, tensor in enumerate(own):
                tensor.copy_(_of_member(value, k, tensor.shape, len(own)))
        for name in self._optimizers:
            of_all = getattr(self.method, name)
            for k, member in enumerate(self.members):
                optimizer = getattr(member, name)
                for own, group in zip(optimizer.param_groups, of_all.param_groups, strict=True):
                    own.update({key: value for key, value in group.items() if key != "params"})
                for parameter, joined in zip(_parameters(optimizer), _parameters(of_all), strict=True):
                    optimizer.state[parameter] = {
                        key: self._state_of(value, k, parameter, joined) for key, value in of_all.state[joined].items()
                    }
        for member in self.members:
            member.round = self.method.round

    def _state_of(self, value: Any, k: int, parameter: Tensor, joined: Tensor) -> Any:
        if not isinstance(value, Tensor) or value.shape != joined.shape:
            return copy.deepcopy(value)  # the number of steps
        return torch.empty_like(parameter).copy_(_of_member(value, k, parameter.shape, len(self.members)))

    def _optimizer(self, optimizers: Sequence[Optimizer]) -> Optimizer:
        """An optimiser of the stacked weights, in the state of `optimizers`."""
        joined_of = {own[0]: value for value, own in self._tensors if isinstance(value, nn.Parameter)}
        first: Any = optimizers[0]
        groups = [{**group, "params": [joined_of[p] for p in group["params"]]} for group in first.param_groups]
        of_all = type(first)(groups, **first.defaults)
        for parameters in zip(*map(_parameters, optimizers), strict=True):
            joined = joined_of[parameters[0]]
            states = [optimizer.state.get(p, {}) for optimizer, p in zip(optimizers, parameters, strict=True)]
            for key, value in states[0].items():
                same = not isinstance(value, Tensor) or value.shape != parameters[0].shape
                together = copy.deepcopy(value) if same else torch.stack([s[key] for s in states]).view_as(joined)
                of_all.state[joined][key] = together
        return of_all


def can_stack(methods: Sequence[Method]) -> bool:
    """Whether `Stack` takes these methods, which are alike."""
    try:
        Stack([method for method in methods if isinstance(method, Stackable)])
    except (NotStackableError, IndexError):
        return False
    return True


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    return chain(network.parameters(), network.buffers())


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _of_member(value: Tensor, k: int, shape: torch.Size, number: int) -> Tensor:
    """A member's part of a stacked tensor; a counter is the same for all."""
    return value.view(number, *shape)[k] if value.dim() else value
