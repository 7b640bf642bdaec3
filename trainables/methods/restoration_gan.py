"""Image restoration by a residual generator and a patch discriminator ([Kitov]; the losses of its source, srez)."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.data.batches import EpochSampler
from trainables.data.dataset import Dataset
from trainables.data.degradations import TASKS
from trainables.data.tasks import ImageTask
from trainables.errors import InputError
from trainables.methods import batchwise
from trainables.methods.base import Method, MethodConfig, seeded_networks
from trainables.methods.scalars import Scalars, as_metrics
from trainables.methods.updates import update
from trainables.networks.restoration import PatchDiscriminator, RestorationGenerator

LOWEST_RATE = 0.1
"""The share of the learning rate that is left when it has fallen."""


class RestorationGanConfig(MethodConfig):
    """The loss of G is `(1 - a) L1 + a L_adversarial`, with `a` the adversarial weight; 0.1 was used in srez."""

    task: ImageTask = Field("noise0.1", description="what is undone: a name in trainables.data.degradations")
    adversarial_weight: float = Field(0.1, ge=0, le=1, description="0: no discriminator is trained")
    compare_with: Literal["original", "degraded"] = Field(
        "original", description="L1 to the original, or between the restored image, degraded again, and the input"
    )
    generator_width: int = Field(32, ge=1, le=512, description="channels of G's blocks")
    discriminator_width: int = Field(16, ge=1, le=512, description="channels of D's first layer")
    batch_size: int = Field(64, ge=2, le=4096)
    lr: float = Field(1e-3, gt=0, le=1, description="Adam, both networks, beta1 0.5")
    decay_rounds: int = Field(0, ge=0, description="rounds in which lr falls to a tenth, as a cosine; 0: it stays")

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        return cls(**{"generator_width": 4, "discriminator_width": 2, "batch_size": 8, "decay_rounds": 3, **settings})


class RestorationGan(Method):
    """A round degrades a batch with fresh noise, updates D unless its weight is 0, then G.

    D sees originals and restored images apart, since it has BatchNorm.
    """

    Config = RestorationGanConfig
    needs_data = False
    config: RestorationGanConfig
    state = (
        "round",
        "generator",
        "discriminator",
        "generator_optimizer",
        "discriminator_optimizer",
        "batches",
    )

    def __init__(self, config: RestorationGanConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        if len(dataset.shape) != 3:
            raise InputError(f"restoration_gan is for images, and {dataset.name!r} has points.")
        self.degradation = TASKS[config.task]
        self.degradation.check(dataset.shape)
        channels = dataset.shape[0]
        with seeded_networks(config.seed):
            generator = RestorationGenerator(channels, config.generator_width, self.degradation.factor)
            discriminator = PatchDiscriminator(channels, config.discriminator_width)
        self.generator, self.discriminator = generator.to(device), discriminator.to(device)
        self.generator_optimizer = self._adam(self.generator)
        self.discriminator_optimizer = self._adam(self.discriminator)
        self.batches = EpochSampler(len(dataset.train), config.batch_size, self.rng)
        self.round = 0

    def _adam(self, network: nn.Module) -> torch.optim.Adam:
        return torch.optim.Adam(network.parameters(), lr=self.config.lr, betas=(0.5, 0.999), fused=True)

    @property
    def task(self) -> ImageTask:
        """What the method undoes; measures of restoration ask."""
        return self.config.task

    def train_round(self) -> Scalars:
        """One update of each network. `loss_l1` and `loss_adversarial` are without their weights."""
        self.round += 1
        self._decay_rate()
        originals = self.training_examples(self.batches.next())
        degraded = self.degradation(originals, self.rng)
        restored = self.generator(degraded)
        weight = self.config.adversarial_weight
        metrics = {}
        if weight > 0:
            metrics["loss_discriminator"] = self._update_discriminator(originals, restored.detach())
        l1 = self._l1(restored, originals, degraded)
        loss = (1 - weight) * l1
        metrics["loss_l1"] = l1
        if weight > 0:
            adversarial = F.softplus(-self.discriminator(restored)).mean()
            loss = loss + weight * adversarial
            metrics["loss_adversarial"] = adversarial
        update(self.generator_optimizer, loss)
        return as_metrics(metrics | {"loss_generator": loss}, self.round)

    def _l1(self, restored: Tensor, originals: Tensor, degraded: Tensor) -> Tensor:
        if self.config.compare_with == "original":
            return F.l1_loss(restored, originals)
        return F.l1_loss(self.degradation.operator(restored), degraded)

    def _update_discriminator(self, originals: Tensor, restored: Tensor) -> Tensor:
        loss = F.softplus(-self.discriminator(originals)).mean() + F.softplus(self.discriminator(restored)).mean()
        update(self.discriminator_optimizer, loss)
        return loss.detach()

    def _decay_rate(self) -> None:
        if self.config.decay_rounds == 0:
            return
        share = min(1.0, (self.round - 1) / self.config.decay_rounds)
        rate = self.config.lr * (LOWEST_RATE + (1 - LOWEST_RATE) * (1 + math.cos(math.pi * share)) / 2)
        for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
            for group in optimizer.param_groups:
                group["lr"] = rate

    def restore(self, degraded: Tensor) -> Tensor:
        """Restored images `(n, C, H, W)` in [-1, 1]."""
        return batchwise.outputs(self.generator, degraded, self.device).clamp(-1.0, 1.0)

    def networks(self) -> dict[str, nn.Module]:
        """The generator alone restores."""
        return {"generator": self.generator}
