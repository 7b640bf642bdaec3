"""The parts of a round: updates of a network, and their losses as numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def update(optimizer: torch.optim.Optimizer, loss: Tensor, parameters: Sequence[Tensor] | None = None) -> None:
    """Make one step of `optimizer` on `loss`. If `parameters` are given, only their gradients are computed."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward(inputs=parameters)
    optimizer.step()


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Inside, no gradients are computed for the weights of `network`, which saves time."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


@contextmanager
def training(network: nn.Module) -> Iterator[None]:
    """Inside, `network` is in training mode; outside it is not, so that using it changes nothing."""
    network.train()
    try:
        yield
    finally:
        network.eval()


def as_numbers(scalars: Mapping[str, Tensor]) -> dict[str, float]:
    """The values of scalars on one device, in a single transfer, for which the host waits once."""
    values = torch.stack([value.detach() for value in scalars.values()]).tolist()
    return dict(zip(scalars, values, strict=True))


def train_to_tell_apart(
    scores: Callable[[], tuple[Tensor, Tensor]],
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    updates: int,
) -> None:
    """Train a discriminator before the first round, on real data and on fakes that no generator has made.

    Each call of `scores` returns the scores of the next real and fake batch: real data should score above 0, fakes
    below.
    """
    for _ in range(updates):
        update(optimizer, loss(*scores()))


def accuracy(real_scores: Tensor, fake_scores: Tensor) -> float:
    """Share of the examples with the right sign: real ones above 0, fake ones below."""
    return torch.cat([real_scores > 0, fake_scores < 0]).float().mean().item()
