"""The discriminator-only method on the plane, with and without the gradient norm (thesis of 2022, section 4.1).

A round moves one batch of random points by gradient descent on the discriminator, labels them fake, and fine-tunes
the discriminator: the algorithm of `discriminator_only` in small. What the section leaves open is read as follows.
The classifier's loss is the cross-entropy, since the output is a probability; the gradient norm is that of this
probability. "Randomly generated" points are uniform in [-1, 1]^2, and so are the fakes of the initial training,
where images would be scrambled. Points are updated by Adam, and the pool and its batches are those of the main method.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables import losses
from trainables.adversarial_losses import cross_entropy, non_saturating
from trainables.data.batches import EpochSampler
from trainables.data.dataset import Dataset
from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.methods.base import Method, MethodConfig, State, require_finite, seeded_networks
from trainables.methods.fake_pool import FakePool
from trainables.methods.image_descent import DescentSettings, descend


class DiscriminatorOnlyPointsConfig(MethodConfig):
    """The defaults are the thesis's settings where it gives them (section 4.1).

    It does not give the discriminator's size and rate: with these, the initial training on `spiral` ends at the
    published accuracy, 0.84.
    """

    hidden_units: int = Field(128, ge=1, le=4096, description="of each of the two hidden layers")
    batch_size: int = Field(75, ge=2, le=4096, description="random points in a round, and real ones in a batch")
    initial_epochs: int = Field(25, ge=0, description="epochs of real against uniform points")
    discriminator_lr: float = Field(1e-2, gt=0, le=1, description="Adam, initial training and fine-tuning")
    point_lr: float = Field(0.02, gt=0, le=10, description="Adam on the points")
    updates: int = Field(25, ge=1, description="updates of a batch of points")
    lambda_gnorm: float = Field(0.0, ge=0, description="weight of the gradient norm (eq. 3.6)")
    pool_size: float = Field(3.0, gt=0, description="fakes kept, as a multiple of the training set's size")
    fake_batches: int = Field(3, ge=1, description="batches of fakes beside one real batch in fine-tuning")


class DiscriminatorOnlyPoints(Method):
    """Section 1 of the methods, "2-D simulation". Scores are logits; `loss_classifier` leaves out the gradient norm."""

    Config = DiscriminatorOnlyPointsConfig
    progress_metrics = ("loss_area", "points_generated")

    def __init__(self, config: DiscriminatorOnlyPointsConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        self.config = config
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
        self.real_batches = EpochSampler(len(self.real), config.batch_size, self.generator)
        pool_size = max(1, round(config.pool_size * len(self.real)))
        self.pool = FakePool(pool_size, 0.0, config.batch_size, dataset.shape, device)
        self.last_moved = torch.empty(2, 0, *dataset.shape, device=device)
        self.round = 0

    # --- training ---------------------------------------------------------------------------------

    def train_round(self) -> dict[str, float]:
        """Move a batch of points, label them fake, fine-tune once; the initial training precedes the first round."""
        metrics = self._initial_training() if self.round == 0 else {}
        self.round += 1
        start = self._uniform(self.config.batch_size, self.generator)
        fakes = self._move(start)
        self.last_moved = torch.stack([start, fakes])
        self.pool.add(fakes, self.score)
        metrics |= self._fine_tune()
        metrics |= {"loss_area": metrics["loss_classifier"], "points_generated": float(len(fakes))}
        return require_finite(metrics, self.round)

    def _initial_training(self) -> dict[str, float]:
        """Train real against uniform points; return the accuracy of the last epoch at probability 1/2."""
        batches = -(-len(self.real) // self.config.batch_size)
        correct = torch.zeros((), device=self.device)
        for epoch in range(self.config.initial_epochs):
            for _ in range(batches):
                uniform = self._uniform(self.config.batch_size, self.generator)
                real_scores, fake_scores = self.discriminator(torch.cat([self._real_batch(), uniform])).chunk(2)
                self._update(cross_entropy(real_scores, fake_scores))
                if epoch == self.config.initial_epochs - 1:
                    correct += (real_scores > 0).sum() + (fake_scores < 0).sum()
        seen = 2 * batches * self.config.batch_size
        return {"initial_accuracy": correct.item() / seen} if self.config.initial_epochs else {}

    def _fine_tune(self) -> dict[str, float]:
        """One update on a real batch and batches of the pool (eq. 3.8 with cross-entropy, and 3.6)."""
        config = self.config
        real = self._real_batch().requires_grad_(config.lambda_gnorm > 0)
        real_scores = self.discriminator(real)
        fake_scores = self.discriminator(self.pool.draw(config.fake_batches * config.batch_size, self.generator))
        parts = {"loss_classifier": cross_entropy(real_scores, fake_scores)}
        loss = parts["loss_classifier"]
        if config.lambda_gnorm > 0:
            parts["gradient_norm"] = losses.gradient_norm(torch.sigmoid(real_scores), real)
            loss = loss + config.lambda_gnorm * parts["gradient_norm"]
        self._update(loss)
        parts |= {"loss_discriminator": loss, "score_real": real_scores.mean(), "score_pool": fake_scores.mean()}
        values = torch.stack([value.detach() for value in parts.values()]).tolist()
        return dict(zip(parts, values, strict=True))

    def _update(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def _real_batch(self) -> Tensor:
        return self.real[self.real_batches.next().to(self.device)]

    # --- generation -------------------------------------------------------------------------------

    def _uniform(self, n: int, generator: torch.Generator) -> Tensor:
        """Where generation starts: `n` points, uniform in [-1, 1]^d."""
        return torch.rand(n, *self.dataset.shape, generator=generator).to(self.device) * 2 - 1

    def _move(self, start: Tensor) -> Tensor:
        """The points after all updates, clamped to [-1, 1]."""
        settings = DescentSettings(self.config.point_lr, self.config.updates, score_target=torch.inf)
        self.discriminator.requires_grad_(False)
        try:
            return descend(start, self._generation_objective, settings).images.clamp(-1.0, 1.0)
        finally:
            self.discriminator.requires_grad_(True)

    def _generation_objective(self, x: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.discriminator(x)
        return non_saturating(scores), scores

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """`n` points, moved in batches of the training's size, since their schedule follows the batch's loss."""
        size = self.config.batch_size
        return torch.cat([self._move(self._uniform(size, generator)) for _ in range(-(-n // size))])[:n]

    def moved_points(self) -> tuple[Tensor, Tensor]:
        """The points of the last round, before and after they were moved."""
        before, after = self.last_moved
        return before, after

    @torch.inference_mode()
    def score(self, x: Tensor) -> Tensor:
        """The logits of `D(x)`: `(n,)`."""
        return self.discriminator(x.to(self.device))

    # --- state ------------------------------------------------------------------------------------

    def networks(self) -> dict[str, nn.Module]:
        return {"discriminator": self.discriminator}

    def state_dict(self) -> State:
        return {
            "round": self.round,
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "pool": self.pool.state_dict(),
            "last_moved": self.last_moved,
            "real_batches": self.real_batches.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: State) -> None:
        self.round = state["round"]
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.pool.load_state_dict(state["pool"])
        self.last_moved = state["last_moved"]
        self.real_batches.load_state_dict(state["real_batches"])
        self.generator.set_state(state["generator"].cpu())
