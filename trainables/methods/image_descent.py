"""Gradient descent on images: the inner loop of methods that generate by optimising pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

# The number of updates that are queued on an accelerator before the host asks whether the loop may end.
UPDATES_BETWEEN_CHECKS = 16


@dataclass(frozen=True)
class DescentSettings:
    """Adam (beta 0.9, 0.999), whose learning rate is multiplied by `factor` when the loss stops falling."""

    lr: float
    max_updates: int
    score_target: float = 1.0
    factor: float = 0.5
    patience: int = 10
    min_lr: float = 1e-5


@dataclass(frozen=True)
class Descent:
    """The images after the last update; the others are scalar tensors on the images' device."""

    images: Tensor
    loss: Tensor
    mean_score: Tensor
    num_updates: Tensor


class PlateauAdam:
    """Adam on one tensor with the schedule of `ReduceLROnPlateau`, entirely on the tensor's device.

    It computes the same as `torch.optim.Adam` and `torch.optim.lr_scheduler.ReduceLROnPlateau` (mode "min", relative
    threshold 1e-4), which would need the loss on the host at each update. `active`, 0 or 1, switches an update off.
    """

    def __init__(self, x: Tensor, settings: DescentSettings) -> None:
        self.x = x
        self.settings = settings
        self.lr = torch.tensor(settings.lr, device=x.device)
        self._first = torch.zeros_like(x)
        self._second = torch.zeros_like(x)
        self._best = torch.tensor(torch.inf, device=x.device)
        self._bad_updates = torch.zeros((), device=x.device)
        self._updates = 0

    def step(self, gradient: Tensor, loss: Tensor, active: Tensor) -> None:
        """Update `x` in place by `gradient`, then the learning rate by `loss`, from which the gradient was taken."""
        self._updates += 1
        self._first.lerp_(gradient, 0.1)
        self._second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        denominator = (self._second / (1 - 0.999**self._updates)).sqrt_().add_(1e-8)
        step_size = active * self.lr / (1 - 0.9**self._updates)
        self.x.sub_(self._first / denominator * step_size)
        self._reduce_on_plateau(loss)

    def _reduce_on_plateau(self, loss: Tensor) -> None:
        better = loss < self._best * (1 - 1e-4)
        self._best = torch.where(better, loss, self._best)
        self._bad_updates = torch.where(better, 0.0, self._bad_updates + 1)
        exceeded = self._bad_updates > self.settings.patience
        lower = (self.lr * self.settings.factor).clamp(min=self.settings.min_lr)
        self.lr = torch.where(exceeded & (self.lr - lower > 1e-8), lower, self.lr)
        self._bad_updates = torch.where(exceeded, 0.0, self._bad_updates)


def descend(
    start: Tensor,
    objective: Callable[[Tensor], tuple[Tensor, Tensor]],
    settings: DescentSettings,
    updates_between_checks: int | None = None,
) -> Descent:
    """Minimise `objective` over images, from `start` `(B, ...)`, until their mean score reaches the target.

    `objective(x)` returns the loss, a scalar, and the scores `(B,)`. When the scores reach the target, one more update
    is made ([Yesilcimen 2022], algorithm 1, lines 5-10). Only gradients for the images are taken; the caller freezes
    the networks in `objective` to save the rest. After `updates_between_checks` updates the host waits for the scores:
    by default after each one on the CPU and after a few on an accelerator. The result does not depend on it.
    """
    x = start.detach().clone()
    optimizer = PlateauAdam(x, settings)
    active = torch.ones((), device=x.device)
    last_loss = last_score = torch.full((), torch.nan, device=x.device)
    num_updates = torch.zeros((), device=x.device)
    checks = updates_between_checks or (1 if x.device.type == "cpu" else UPDATES_BETWEEN_CHECKS)
    for update in range(settings.max_updates):
        leaf = x.detach().requires_grad_()
        loss, scores = objective(leaf)
        (gradient,) = torch.autograd.grad(loss, leaf)
        loss, mean_score = loss.detach(), scores.detach().mean()
        optimizer.step(gradient, loss, active)
        num_updates = num_updates + active
        last_loss = torch.where(active > 0, loss, last_loss)
        last_score = torch.where(active > 0, mean_score, last_score)
        active = active * (mean_score < settings.score_target)
        if update % checks == checks - 1 and not active:
            break
    return Descent(x, last_loss, last_score, num_updates)
