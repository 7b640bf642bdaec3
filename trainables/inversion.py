"""Latents of given images: gradient descent on the latent of a generator that stays as it is.

[Halbreich 2023], questions 2 and 3, and Bora et al. 2017: `z* = argmin loss(A G(z), y) + prior_weight |z|^2`, where `A`
is what was done to the images and `y` what is left of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from trainables.methods.abilities import Generates

SearchLoss = Literal["l1", "l2"]

CHUNK = 512
"""Latents that are searched at once."""

FOUND = 0.02
"""The squared error of a pixel in [0, 1] below which an image counts as found: a bad minimum is far above."""


@dataclass(frozen=True)
class SearchSettings:
    """Adam on the latents.

    `prior_weight` is in units of the loss, a mean over values: 0 was used in the exercise.
    """

    loss: SearchLoss = "l2"
    lr: float = 0.1
    iterations: int = 300
    prior_weight: float = 0.0


@dataclass(frozen=True)
class Inverted:
    """What was found for `n` images: of all starts and iterations, the latent with the lowest loss."""

    latents: Tensor
    """`(n, d)`."""
    images: Tensor
    """`G(z*)`, `(n, *shape)`."""
    losses: Tensor
    """`(n, restarts)`: the lowest loss from each start, without the prior's part."""


def invert(
    generator: Generates,
    observed: Tensor,
    starts: Tensor,
    settings: SearchSettings,
    operator: Callable[[Tensor], Tensor] = lambda images: images,
) -> Inverted:
    """Search latents whose images, after `operator`, are like `observed` `(n, ...)`.

    Each image is searched from the same `starts` `(restarts, d)`, or from its own, `(restarts, n, d)`, and
    independently of the other images: the losses of a batch are summed. So an image alone is found as in a batch, up to
    rounding. The generator's weights and buffers do not change.
    """
    n, restarts = len(observed), len(starts)
    from_each = (starts if starts.dim() == 3 else starts[:, None]).to(observed.device).expand(-1, n, -1)
    targets = observed.repeat(restarts, *[1] * (observed.dim() - 1))
    parts = [
        _search(generator, operator, start, target, settings)
        for start, target in zip(from_each.flatten(0, 1).split(CHUNK), targets.split(CHUNK), strict=True)
    ]
    losses = torch.cat([loss for _, loss in parts]).view(restarts, n)
    latents = torch.cat([latent for latent, _ in parts]).view(restarts, n, -1)
    best = latents[losses.argmin(0), torch.arange(n, device=observed.device)]
    with torch.no_grad():
        images = torch.cat([generator.generate(part) for part in best.split(CHUNK)])
    return Inverted(best, images, losses.T)


def _search(
    generator: Generates,
    operator: Callable[[Tensor], Tensor],
    start: Tensor,
    target: Tensor,
    settings: SearchSettings,
) -> tuple[Tensor, Tensor]:
    """The latents with the lowest objective on the way, and their losses."""
    z = start.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([z], lr=settings.lr)
    lowest = torch.full((len(z),), torch.inf, device=z.device)
    best, best_loss = start.detach().clone(), lowest.clone()
    for _ in range(settings.iterations + 1):
        loss = _losses(operator(generator.generate(z)), target, settings.loss)
        objective = loss + settings.prior_weight * z.square().sum(1)
        better = objective.detach() < lowest
        lowest = torch.where(better, objective.detach(), lowest)
        best_loss = torch.where(better, loss.detach(), best_loss)
        best = torch.where(better[:, None], z.detach(), best)
        (z.grad,) = torch.autograd.grad(objective.sum(), z)
        optimizer.step()
    return best, best_loss


def _losses(made: Tensor, target: Tensor, loss: SearchLoss) -> Tensor:
    """The mean error of each image, `(n,)`."""
    errors = (made - target).flatten(1)
    return errors.square().mean(1) if loss == "l2" else errors.abs().mean(1)


def pixel_errors(images: Tensor, originals: Tensor) -> Tensor:
    """The mean squared error `(n,)` of the pixels, in [0, 1], of images `(n, C, H, W)` in [-1, 1]."""
    return (images - originals).flatten(1).square().mean(1) / 4


def relative_norm(latents: Tensor) -> float:
    """The mean norm of latents `(n, d)`, divided by the root of `d`: near 1 where they are normal."""
    return float((latents.norm(dim=1) / latents.shape[1] ** 0.5).mean())


def spread(losses: Tensor) -> float:
    """The mean over images of the standard deviation over restarts of losses `(n, restarts)`."""
    return float(losses.std(1, correction=0).mean())
