"""The discriminator-only method on the plane, with and without the gradient norm ([Yesilcimen 2022], section 4.1).

A round moves one batch of random points by gradient descent on the discriminator, labels them fake, and fine-tunes
the discriminator, as `discriminator_only` does with images. Readings of what the section leaves open: the
classifier's loss is the cross-entropy, since the output is a probability. The gradient norm is the norm of this
probability's gradient. "Randomly generated" points are uniform in [-1, 1]^2, and so are the fakes of the initial
training. Adam updates the points. The pool and the batches drawn from it are as in `discriminator_only`.
"""

from __future__ import annotations

from typing import Any, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables import losses
from trainables.adversarial_losses import cross_entropy, non_saturating
from trainables.data.batches import EpochSampler
from trainables.data.dataset import Dataset
from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.methods import batchwise
from trainables.methods.base import MethodConfig, seeded_networks
from trainables.methods.fake_pool import FakePool, add_to_pools
from trainables.methods.image_descent import DescentSettings, descend
from trainables.methods.scalars import Scalars
from trainables.methods.stackable import Stackable
from trainables.methods.updates import accuracy, frozen, train_to_tell_apart, update


class DiscriminatorOnlyPointsConfig(MethodConfig):
    """The defaults are the document's settings where it gives them (section 4.1).

    It does not give the discriminator's size and learning rate. With these, the initial training on `spiral` ends at
    the published accuracy, 0.84.
    """

    hidden_units: int = Field(128, ge=1, le=4096, description="units of each of the two hidden layers")
    batch_size: int = Field(75, ge=2, le=4096, description="random points in a round, and real ones in a batch")
    initial_epochs: int = Field(25, ge=0, description="epochs of real against uniform points")
    discriminator_lr: float = Field(1e-2, gt=0, le=1, description="Adam, initial training and fine-tuning")
    point_lr: float = Field(0.02, gt=0, le=10, description="Adam on the points")
    updates: int = Field(25, ge=1, description="updates of a batch of points")
    lambda_gnorm: float = Field(0.0, ge=0, description="weight of the gradient norm (eq. 3.6)")
    pool_size: float = Field(3.0, gt=0, description="fakes kept, as a multiple of the training set's size")
    fake_batches: int = Field(3, ge=1, description="batches of fakes per real batch in fine-tuning")

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        return cls(**{"hidden_units": 8, "batch_size": 16, "initial_epochs": 1, "updates": 3, **settings})


class DiscriminatorOnlyPoints(Stackable):
    """Discriminator-only generation of points. Scores are logits; `loss_classifier` is without the gradient norm.

    Every round reports `initial_accuracy`, which is measured once, after the initial training: the share of right
    answers for all training points, which should score above 0, and as many uniform ones, which should score below.
    """

    Config = DiscriminatorOnlyPointsConfig
    needs_data = False
    stacks = True
    config: DiscriminatorOnlyPointsConfig
    state = ("round", "discriminator", "optimizer", "real_batches", "pool", "last_moved", "initial_accuracy")
    round_metrics = (
        "loss_classifier",
        "loss_discriminator",
        "loss_area",
        "gradient_norm",
        "score_real",
        "score_pool",
        "initial_accuracy",
        "points_generated",
    )
    progress_metrics = ("loss_area", "points_generated")

    def __init__(self, config: DiscriminatorOnlyPointsConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        if len(dataset.shape) != 1:
            raise InputError(f"discriminator_only_points is for points, and {dataset.name!r} has images: use spiral.")
        units = config.hidden_units
        with seeded_networks(config.seed):
            self.discriminator = nn.Sequential(
                nn.Linear(dataset.shape[0], units),
                nn.Tanh(),
                nn.Linear(units, units),
                nn.Tanh(),
                nn.Linear(units, 1),
                nn.Flatten(0),
            ).to(device)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=config.discriminator_lr)
        self.real = to_tensor(dataset.train.examples, device)
        self.real_batches = EpochSampler(len(self.real), config.batch_size, self.rng)
        pool_size = max(1, round(config.pool_size * len(self.real)))
        self.pool = FakePool(pool_size, 0.0, config.batch_size, dataset.shape, device)
        self.last_moved = torch.empty(2, 0, *dataset.shape, device=device)
        self.initial_accuracy: float | None = None
        self.round = 0

    def step(self) -> Scalars:
        """Move a batch of points, label them fake, fine-tune once; the initial training precedes the first round."""
        if self.round == 0 and self.config.initial_epochs > 0:
            self._initial_training()
            self.keep("initial_accuracy", self._accuracy())
        self.round += 1
        start = self._random_points(self.config.batch_size)
        fakes = self._move(start)
        for member, *moved in zip(self.members, self.by_member(start), self.by_member(fakes), strict=True):
            member.last_moved = torch.stack(moved)
        add_to_pools(self, fakes, self.score)
        metrics = self._fine_tune()
        if self.config.initial_epochs > 0:
            metrics["initial_accuracy"] = self.kept("initial_accuracy")
        return {
            **metrics,
            "loss_area": metrics["loss_classifier"],
            "points_generated": float(self.config.batch_size),
        }

    def _initial_training(self) -> None:
        """Train real points against uniform ones."""

        def scores() -> tuple[Tensor, Tensor]:
            points = torch.cat([self._real_batch(), self._random_points(self.config.batch_size)], -2)
            real_scores, fake_scores = self.discriminator(points).chunk(2, -1)
            return real_scores, fake_scores

        updates_per_epoch = -(-len(self.real) // self.config.batch_size)
        train_to_tell_apart(scores, cross_entropy, self.optimizer, self.config.initial_epochs * updates_per_epoch)

    def _accuracy(self) -> Tensor:
        """The accuracy with which training points are told from uniform ones."""
        real = self.each(lambda member: member.real)
        return accuracy(self.score(real), self.score(self._random_points(len(self.real))))

    def _fine_tune(self) -> dict[str, Tensor]:
        """One update on a real batch and on batches from the pool (eq. 3.8 with cross-entropy, and eq. 3.6)."""
        config = self.config
        real = self._real_batch().requires_grad_(config.lambda_gnorm > 0)
        real_scores = self.discriminator(real)
        drawn = config.fake_batches * config.batch_size
        fake_scores = self.discriminator(self.each(lambda member: member.pool.draw(drawn, member.rng)))
        parts = {"loss_classifier": cross_entropy(real_scores, fake_scores)}
        loss = parts["loss_classifier"]
        if config.lambda_gnorm > 0:
            parts["gradient_norm"] = losses.gradient_norm(torch.sigmoid(real_scores), real)
            loss = loss + config.lambda_gnorm * parts["gradient_norm"]
        update(self.optimizer, loss)
        return parts | {
            "loss_discriminator": loss,
            "score_real": real_scores.mean(-1),
            "score_pool": fake_scores.mean(-1),
        }

    def _real_batch(self) -> Tensor:
        return self.real[self.each(lambda member: member.real_batches.next())]

    def _random_points(self, n: int) -> Tensor:
        return self.each(lambda member: member._uniform(n, member.rng))

    def _uniform(self, n: int, rng: torch.Generator) -> Tensor:
        """`n` points, uniform in [-1, 1]^d: generation starts from these."""
        return torch.rand(n, *self.dataset.shape, generator=rng, device=rng.device).to(self.device) * 2 - 1

    def _move(self, start: Tensor) -> Tensor:
        """The points after all updates, clamped to [-1, 1]."""
        settings = DescentSettings(self.config.point_lr, self.config.updates, score_target=torch.inf)
        with frozen(self.discriminator):
            return descend(start, self._generation_objective, settings).images.clamp(-1.0, 1.0)

    def _generation_objective(self, x: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.discriminator(x)
        return non_saturating(scores), scores

    def finish(self) -> None:
        """As in the base class; also empty the pool."""
        super().finish()
        self.pool.clear()

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """`n` points, moved in batches of `batch_size`: the learning rate follows the loss of a batch."""
        batch_size = self.config.batch_size
        return batchwise.make(n, batch_size, lambda: self._move(self._uniform(batch_size, rng)))

    def moved(self) -> tuple[Tensor, Tensor]:
        """The points of the last round, before and after they were moved."""
        before, after = self.last_moved
        return before, after

    def score(self, x: Tensor) -> Tensor:
        """The logits of `D(x)`: `(n,)`."""
        return batchwise.outputs(self.discriminator, x, self.device, axis=x.dim() - 2)

    def networks(self) -> dict[str, nn.Module]:
        return {"discriminator": self.discriminator}
