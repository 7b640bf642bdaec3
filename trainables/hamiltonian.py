"""Hamiltonian Monte Carlo for many independent chains at once (Neal 2011, arXiv:1206.1901, section 3).

A chain's position is `(d,)`; positions of all chains are `(n, d)`. The density is `exp(-U)` for a potential `U`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Potential = Callable[[Tensor], Tensor]
"""Positions `(n, d)` to potentials `(n,)`."""
Gradient = Callable[[Tensor], Tensor]
"""Positions `(n, d)` to the gradients of their potentials, `(n, d)`."""


@dataclass(frozen=True)
class HmcSettings:
    """How long chains run. In the burn-in, the step adapts to the share of accepted moves; no position is kept."""

    burn_in: int
    samples: int
    leapfrog_steps: int
    target_acceptance: float
    adaptation: float
    """The step is multiplied by `1 + adaptation * (accepted - target_acceptance)`."""


@dataclass(frozen=True)
class Sampled:
    """Positions `(samples, n, d)`, the share of all moves that were accepted, and the step that was adapted to it."""

    positions: Tensor
    accepted: Tensor
    step: Tensor


def gradient_of(potential: Potential) -> Gradient:
    """The gradient of a potential, by automatic differentiation with respect to the positions alone."""

    def gradient(position: Tensor) -> Tensor:
        with torch.enable_grad():
            position = position.detach().requires_grad_()
            return torch.autograd.grad(potential(position).sum(), position)[0]

    return gradient


def leapfrog(
    position: Tensor, momentum: Tensor, gradient: Gradient, step: Tensor | float, steps: int
) -> tuple[Tensor, Tensor]:
    """Follow the dynamics for `steps` steps. With the new momentum reversed, the same steps lead back."""
    momentum = momentum - step / 2 * gradient(position)
    for k in range(steps):
        position = position + step * momentum
        last = k == steps - 1
        momentum = momentum - step / (2 if last else 1) * gradient(position)
    return position, momentum


def sample(
    start: Tensor,
    potential: Potential,
    gradient: Gradient,
    step: Tensor,
    settings: HmcSettings,
    rng: torch.Generator,
) -> Sampled:
    """Run a chain from each row of `start` `(n, d)`, which is left as it is. `step` is a scalar.

    A move whose potential is not finite is rejected. The chains are right with any `gradient`; with one that is not
    the potential's they move little.
    """
    position, kept, accepted = start, [], []
    with torch.no_grad():
        before = potential(position)
    for k in range(settings.burn_in + settings.samples):
        momentum = torch.randn(start.shape, generator=rng, device=rng.device).to(start)
        chance = torch.rand(len(start), generator=rng, device=rng.device).to(start)
        proposed, turned = leapfrog(position, momentum, gradient, step, settings.leapfrog_steps)
        with torch.no_grad():
            after = potential(proposed)
            gained = before - after + (momentum.square() - turned.square()).sum(1) / 2
            moves = chance < gained.exp()  # False for NaN
            position = torch.where(moves[:, None], proposed, position)
            before = torch.where(moves, after, before)
        accepted.append(moves.to(start.dtype).mean())
        if k < settings.burn_in:
            step = step * (1 + settings.adaptation * (accepted[-1] - settings.target_acceptance))
        else:
            kept.append(position)
    return Sampled(torch.stack(kept), torch.stack(accepted).mean(), step)
