"""Gradient descent on images: the inner loop of methods that generate by optimising pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.methods.replay import in_place, replayed

# The number of updates that are queued on an accelerator before the host asks whether the loop may end.
UPDATES_BETWEEN_CHECKS = 16

# The number of updates on CUDA before one is captured, which pays where many follow; replays give the same images.
UPDATES_BEFORE_CAPTURE = 32


@dataclass(frozen=True)
class DescentSettings:
    """Adam (beta 0.9, 0.999), whose learning rate is multiplied by `factor` when the loss stops falling.

    `noise` is the deviation of the noise that is added to each pixel after each update. With `clip`, pixels outside
    [-1, 1] are then set to the nearest end.
    """

    lr: float
    max_updates: int
    noise: float = 0.0
    clip: bool = False
    score_target: float = 1.0
    factor: float = 0.5
    patience: int = 10
    min_lr: float = 1e-5


@dataclass(frozen=True)
class Descent:
    """The images after the last update; the others are float64, on their device: scalars, or `(K,)` in a stack."""

    images: Tensor
    loss: Tensor
    mean_score: Tensor
    num_updates: Tensor


Objective = Callable[[Tensor], tuple[Tensor, Tensor]]
PixelTerms = Callable[[Tensor, Tensor], Tensor]

Scalar = float | Tensor
"""A number on the host, or a float64 tensor, which may be on an accelerator: without dimensions, or one per member."""


class PlateauAdam:
    """Adam on one tensor with the schedule of `ReduceLROnPlateau`.

    It computes the same as `torch.optim.Adam` and `torch.optim.lr_scheduler.ReduceLROnPlateau` (mode "min", relative
    threshold 1e-4). They would need the loss on the host at each update; here it may be on the tensor's device, where
    everything then stays. `active`, 0 or 1, switches an update off.

    With a loss for each member `(K,)`, `x` is `(K, ...)`, and each member has its own rate.
    """

    def __init__(self, x: Tensor, settings: DescentSettings) -> None:
        self.x = x
        self.settings = settings
        self.lr: Scalar = settings.lr
        self._first = torch.zeros_like(x)
        self._second = torch.zeros_like(x)
        self._best: Scalar = math.inf
        self._bad_updates: Scalar = 0.0
        # On an accelerator a number of the host would be a constant in what is captured.
        self._updates: Scalar = 0.0 if x.device.type == "cpu" else torch.zeros((), dtype=torch.float64, device=x.device)

    def step(self, gradient: Tensor, loss: Scalar, active: Scalar) -> None:
        """Update `x` in place by `gradient`, then the learning rate by `loss`, from which the gradient was taken."""
        self._updates = self._updates + 1
        self._first.lerp_(gradient, 0.1)
        self._second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        # The corrections of both moments are in the step's size, which saves two passes over the images.
        second_share = 1 - 0.999**self._updates
        correction = second_share.sqrt() if isinstance(second_share, Tensor) else math.sqrt(second_share)
        denominator = self._second.sqrt().add_(1e-8 * correction)
        step_size = active * self.lr * (correction / (1 - 0.9**self._updates))
        self.x.addcdiv_(self._first * _over(self.x, step_size), denominator, value=-1)
        self._reduce_on_plateau(loss)

    def _reduce_on_plateau(self, loss: Scalar) -> None:
        better = loss < self._best * (1 - 1e-4)
        self._best = choose(better, loss, self._best)
        self._bad_updates = choose(better, 0.0, self._bad_updates + 1)
        exceeded = self._bad_updates > self.settings.patience
        lower = self.lr * self.settings.factor
        lower = choose(lower > self.settings.min_lr, lower, self.settings.min_lr)
        self.lr = choose(exceeded & (self.lr - lower > 1e-8), lower, self.lr)
        self._bad_updates = choose(exceeded, 0.0, self._bad_updates)


def _over(x: Tensor, values: Scalar) -> Scalar:
    """Numbers of members `(K,)` so that they multiply `x` `(K, ...)`, in its type; a scalar is left as it is."""
    if not isinstance(values, Tensor) or values.dim() == 0:
        return values
    return values.to(x.dtype).view(-1, *[1] * (x.dim() - 1))


def _any(active: Scalar) -> bool:
    return bool(active.any()) if isinstance(active, Tensor) else active > 0


def choose(condition: bool | Tensor, first: Scalar, second: Scalar) -> Scalar:
    """`first` if `condition`, else `second`, without waiting for a condition that is on an accelerator."""
    if isinstance(condition, bool):
        return first if condition else second
    if not isinstance(second, Tensor):
        second = torch.full((), second, dtype=torch.float64, device=condition.device)
    return torch.where(condition, first, second)


class _Updates:
    """The updates of a descent (see `descend`), and what they have led to."""

    def __init__(
        self,
        x: Tensor,
        objective: Objective,
        settings: DescentSettings,
        pixel_terms: PixelTerms | None,
        noise: Callable[[], Tensor] | None,
        waits: bool,
    ) -> None:
        self.x = x
        self.objective, self.pixel_terms, self.noise = objective, pixel_terms, noise
        self.settings = settings
        self.waits = waits
        """Whether the host waits for each update: then numbers of its own cost the least."""
        self.optimizer = PlateauAdam(x, settings)
        self.active: Scalar = 1.0
        self.loss: Scalar = math.nan
        self.score: Scalar = math.nan
        self.number: Scalar = 0.0

    def make_one(self) -> None:
        """Make one update, unless the images are good enough."""
        x, settings = self.x, self.settings
        leaf = x.detach().requires_grad_()
        objective_loss, scores = self.objective(leaf)
        (gradient,) = torch.autograd.grad(objective_loss.sum(), leaf)
        objective_loss, mean_score = objective_loss.detach(), scores.detach().mean(-1)
        if self.pixel_terms is not None:
            gradient = gradient.clone(memory_format=torch.contiguous_format)
            objective_loss = objective_loss + self.pixel_terms(x, gradient)
        on_host = self.waits and mean_score.dim() == 0
        loss, score = (v.item() if on_host else v.double() for v in (objective_loss, mean_score))
        active = self.active
        self.optimizer.step(gradient, loss, active)
        if settings.noise > 0 and self.noise is not None:
            x.add_(self.noise().to(x.device).mul_(_over(x, active * settings.noise)))
        if settings.clip:
            x.clamp_(-1.0, 1.0)
        self.number = self.number + active
        self.loss = choose(active > 0, loss, self.loss)
        self.score = choose(active > 0, score, self.score)
        self.active = active * (score < settings.score_target)


def descend(
    start: Tensor,
    objective: Objective,
    settings: DescentSettings,
    pixel_terms: PixelTerms | None = None,
    noise: Callable[[], Tensor] | None = None,
    updates_between_checks: int | None = None,
) -> Descent:
    """Minimise `objective`, plus `pixel_terms`, over images from `start` `(B, ...)`, until their mean score is high.

    `objective(x)` returns a loss, a scalar, and the scores `(B,)`; `pixel_terms(x, gradient)` returns a loss and adds
    its gradient to `gradient`, in place. With a leading axis of members, `(K, B, ...)`, losses are `(K,)` and scores
    `(K, B)`, and each member stops by itself. When the mean score reaches the target, one more update is made
    ([Yesilcimen 2022], algorithm 1, lines 5-10). Only gradients for the images are taken; the caller freezes the
    networks in `objective` to save the rest. `noise()` draws standard normal noise of the images' shape, for
    settings that add some. After `updates_between_checks` updates the host waits for the scores: by default after each
    one on the CPU and after a few on an accelerator. The result does not depend on it. On CUDA, long descents without
    noise become a CUDA graph.
    """
    x = start.detach().clone()
    checks = updates_between_checks or (1 if x.device.type == "cpu" else UPDATES_BETWEEN_CHECKS)
    updates = _Updates(x, objective, settings, pixel_terms, noise, waits=checks == 1)
    can_be_captured = x.device.type == "cuda" and settings.noise == 0
    update = updates.make_one
    for made in range(settings.max_updates):
        if made == UPDATES_BEFORE_CAPTURE and can_be_captured:
            update = replayed(in_place(update, (updates, updates.optimizer)))
        update()
        if made % checks == checks - 1 and not _any(updates.active):
            break
    loss, *numbers = (
        torch.as_tensor(number, dtype=torch.float64, device=x.device)
        for number in (updates.loss, updates.score, updates.number)
    )
    # After a single update, how many there were is a number that all members share.
    return Descent(x, loss, *(number.expand(loss.shape) for number in numbers))
