"""What a round is made of: updates of a network, and their losses as numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def update(optimizer: torch.optim.Optimizer, loss: Tensor, parameters: Sequence[Tensor] | None = None) -> None:
    """One step down the gradient of `loss`, which is taken for `parameters` alone where they are given."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward(inputs=parameters)
    optimizer.step()


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Inside, no gradients are taken for the weights of `network`, which saves their share of the work."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def as_numbers(scalars: Mapping[str, Tensor]) -> dict[str, float]:
    """The values of scalars on one device: a single transfer, for which the host waits once."""
    values = torch.stack([value.detach() for value in scalars.values()]).tolist()
    return dict(zip(scalars, values, strict=True))


def train_to_tell_apart(
    scores: Callable[[], tuple[Tensor, Tensor]],
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    updates: int,
) -> None:
    """Train a discriminator before its first round, on real data and on fakes that nobody has generated.

    Each call of `scores` scores the next batch of both; real ones shall score above 0 and fake ones below.
    """
    for _ in range(updates):
        update(optimizer, loss(*scores()))


def accuracy(real_scores: Tensor, fake_scores: Tensor) -> float:
    """Share of the examples that are told apart: real ones score above 0 and fake ones below."""
    return torch.cat([real_scores > 0, fake_scores < 0]).float().mean().item()
