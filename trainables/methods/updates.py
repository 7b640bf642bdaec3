"""The parts of a round: updates of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Make one step of `optimizer` on `loss`, a scalar or a loss for each member `(K,)`, which share no weights.

    The gradients of its own weights alone are computed. In a generator's update, D's would be a third of the work.
    """
    own = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    optimizer.zero_grad(set_to_none=True)
    loss.sum().backward(inputs=own)
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


def accuracy(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Share of the examples with the right sign, real ones above 0, fake ones below: `()`, or `(K,)` of `(K, n)`."""
    return torch.cat([real_scores > 0, fake_scores < 0], -1).float().mean(-1)
