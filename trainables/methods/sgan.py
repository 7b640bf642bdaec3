"""The semi-supervised GAN: the discriminator's classes are the data set's and one more, "generated".

The method is that of Odena 2016 (arXiv:1606.01583), as [Kitov] presents it.
"""

from __future__ import annotations

from typing import Any, Self

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from trainables.adversarial_losses import cross_entropy, non_saturating
from trainables.data.dataset import Dataset
from trainables.losses import real_logits
from trainables.methods.base import seeded_networks
from trainables.methods.latents import Latents
from trainables.methods.semi_supervised import SemiSupervised, SemiSupervisedConfig
from trainables.methods.updates import update
from trainables.networks.batch_norm import gathering_nothing, normalising_by
from trainables.networks.dcgan import dcgan_discriminator, dcgan_generator
from trainables.networks.layers import initialise


class SganConfig(SemiSupervisedConfig):
    """The document gives neither networks nor rates: the defaults are a DCGAN's."""

    generator_width: float = Field(1.0, gt=0, le=4, description="multiplies the generator's channels")
    discriminator_width: float = Field(1.0, gt=0, le=4, description="multiplies the discriminator's channels")
    discriminator_batch_norm: bool = Field(True, description="whether the discriminator has BatchNorm")
    init_std: float = Field(0.02, gt=0, description="deviation of the initial weights")
    generator_lr: float = Field(2e-4, gt=0, le=1, description="Adam")
    discriminator_lr: float = Field(2e-4, gt=0, le=1, description="Adam")
    batch_size: int = Field(64, ge=2, le=4096, description="labelled, unlabelled and generated images, each")

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        widths = {"generator_width": 1 / 16, "discriminator_width": 1 / 16}
        return cls(**{**widths, "batch_size": 8, "labels": 12, **settings})


class Sgan(SemiSupervised):
    """The networks are the `dcgan` of `gan`; the discriminator has a logit for each class and one for "generated".

    BatchNorm normalises labelled, unlabelled and generated batches apart. The discriminator gathers its running
    statistics, by which it classifies, from labelled batches: then it can be compared with one that sees no others.
    """

    Config = SganConfig
    config: SganConfig

    def __init__(self, config: SganConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        self.latents = Latents("uniform", config.latent_dim)
        with seeded_networks(config.seed):
            generator = dcgan_generator(dataset.shape, config.latent_dim, 0, config.generator_width, batch_norm=True)
            discriminator = dcgan_discriminator(
                dataset.shape,
                0,
                config.discriminator_width,
                config.discriminator_batch_norm,
                outputs=self.num_classes + 1,
            )
            initialise(generator, config.init_std)
            initialise(discriminator, config.init_std)
        self.generator = generator.to(device).to(memory_format=torch.channels_last)
        self.discriminator = discriminator.to(device).to(memory_format=torch.channels_last)
        self.generator_optimizer = self.adam(self.generator, config.generator_lr)
        self.discriminator_optimizer = self.adam(self.discriminator, config.discriminator_lr)

    def update_networks(self, images: Tensor, classes: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        logits = self.discriminator(images)
        loss = labelled = F.cross_entropy(logits, classes)
        metrics = {"loss_labelled": labelled, "accuracy_labelled": (logits[:, :-1].argmax(1) == classes).float().mean()}
        if self.is_supervised:
            update(self.discriminator_optimizer, loss)
            return metrics
        generated = self.generate()
        real, fake = self._real_logits(self.unlabelled_batch()), self._real_logits(generated.detach())
        unlabelled = cross_entropy(real, fake)
        update(self.discriminator_optimizer, loss + self.config.unlabelled_weight * unlabelled)
        loss_generator = non_saturating(self._real_logits(generated))
        update(self.generator_optimizer, loss_generator)
        return {**metrics, "loss_unlabelled": unlabelled, "loss_generator": loss_generator}

    def _real_logits(self, x: Tensor) -> Tensor:
        """The logits `(B,)` that a batch is real, in training."""
        with gathering_nothing(self.discriminator):
            logits = self.discriminator(x)
        return real_logits(logits[:, :-1], logits[:, -1])

    def judge(self, x: Tensor) -> tuple[Tensor, Tensor]:
        with normalising_by(self.discriminator, "running"):
            logits = self.discriminator(x)
        return logits[:, :-1].softmax(1), real_logits(logits[:, :-1], logits[:, -1])
