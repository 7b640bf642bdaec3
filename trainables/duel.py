"""The duel of two discriminators (Wei et al. 2021, arXiv:2101.07524), as pure functions of their logits.

Each is rewarded for agreeing with the other about the same data, and for disagreeing about unrelated data: so copying a
shared error does not pay.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def bump(progress: float) -> float:
    """A parabola of the training's progress in [0, 1]: 0 at both ends, 1 in the middle."""
    return 4.0 * progress * (1.0 - progress)


def agreement_loss(logits: Tensor, of_peer: Tensor) -> Tensor:
    """Cross-entropy of the probabilities of `logits` `(n,)` with those of a peer, which get no gradient; a mean."""
    return F.binary_cross_entropy_with_logits(logits, of_peer.detach().sigmoid())


def draw_mix(batch_size: int, rng: torch.Generator) -> Tensor:
    """Which of `batch_size` real data, followed by as many generated ones, are in a mix of half and half.

    The indices `(2 * (batch_size // 2),)` are shuffled, and none comes twice.
    """
    half = batch_size // 2
    real, fake = (torch.randperm(batch_size, generator=rng, device=rng.device)[:half] for _ in range(2))
    mix = torch.cat([real, batch_size + fake])
    return mix[torch.randperm(len(mix), generator=rng, device=rng.device)]


def duel_term(logits: Tensor, of_peer: Tensor, mixes: tuple[Tensor, Tensor, Tensor], alpha: float) -> Tensor:
    """`l(D(x1), D'(x1)) - alpha * l(D(x2), D'(x3))` with the loss `l` of `agreement_loss`.

    `logits` and `of_peer` `(2 * batch_size,)` are what both discriminators say of real, then of generated data;
    `mixes` are the indices of `x1`, `x2` and `x3` among them.
    """
    same, own, other = mixes
    agreement = agreement_loss(logits[same], of_peer[same])
    return agreement - alpha * agreement_loss(logits[own], of_peer[other])
