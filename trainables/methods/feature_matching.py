"""Improved GAN with feature matching: the strongest GAN of its time for few labels.

Salimans et al. 2016, arXiv:1606.03498, sections 3.1 and 5, with the settings of the published code.
"""

from __future__ import annotations

from typing import Any, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from trainables.adversarial_losses import cross_entropy
from trainables.data.dataset import Dataset
from trainables.data.subset import choose
from trainables.data.tensors import to_tensor
from trainables.losses import feature_matching, real_logits
from trainables.methods.base import seeded_networks, sub_seed
from trainables.methods.latents import Latents
from trainables.methods.semi_supervised import SemiSupervised, SemiSupervisedConfig
from trainables.methods.updates import update
from trainables.networks.noisy_mlp import NoisyClassifier, SoftplusGenerator

INITIAL_IMAGES = 500
"""Training images that the initial scales are computed from, as in the published code."""


class FeatureMatchingConfig(SemiSupervisedConfig):
    """The defaults are the published settings for MNIST."""

    discriminator_width: float = Field(1.0, gt=0, le=4, description="multiplies 1000-500-250-250-250 hidden units")
    generator_width: float = Field(1.0, gt=0, le=4, description="multiplies 500-500 hidden units")
    lr: float = Field(3e-3, gt=0, le=1, description="Adam, for both networks")
    average_rate: float = Field(
        1e-4, gt=0, le=1, description="share of the present weights in each update of the average, which classifies"
    )

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        widths = {"generator_width": 1 / 32, "discriminator_width": 1 / 32}
        return cls(**{**widths, "batch_size": 8, "labels": 12, "average_rate": 0.5, **settings})


class FeatureMatching(SemiSupervised):
    """The discriminator has a logit per class; the logit "generated" is 0. The generator matches its mean features.

    Labelled, unlabelled and generated images pass through the discriminator as one batch, which nothing in it mixes.
    """

    Config = FeatureMatchingConfig
    config: FeatureMatchingConfig
    state = (*SemiSupervised.state, "averaged")

    def __init__(self, config: FeatureMatchingConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        self.latents = Latents("uniform", config.latent_dim)
        with seeded_networks(config.seed):
            generator = SoftplusGenerator(dataset.shape, config.latent_dim, config.generator_width)
            discriminator = NoisyClassifier(dataset.shape, self.num_classes, config.discriminator_width)
        images = to_tensor(choose(dataset.train.examples, INITIAL_IMAGES, config.seed))
        discriminator.initialise_by_data(images, torch.Generator().manual_seed(sub_seed(config.seed, "initial scales")))
        self.generator = generator.to(device)
        self.discriminator: NoisyClassifier = discriminator.to(device)
        self.averaged = AveragedModel(
            self.discriminator, multi_avg_fn=get_ema_multi_avg_fn(1.0 - config.average_rate), use_buffers=False
        )
        self.averaged.update_parameters(self.discriminator)  # the average begins with the initial weights
        self.generator_optimizer = self.adam(self.generator, config.lr)
        self.discriminator_optimizer = self.adam(self.discriminator, config.lr)

    def update_networks(self, images: Tensor, classes: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        generated = None if self.is_supervised else self.generate()
        metrics = self._update_discriminator(images, classes, rng, generated)
        self.averaged.update_parameters(self.discriminator)
        return metrics if generated is None else {**metrics, "loss_generator": self._update_generator(generated)}

    def _update_discriminator(
        self, images: Tensor, classes: Tensor, rng: torch.Generator, generated: Tensor | None
    ) -> dict[str, Tensor]:
        n = len(images)
        batch, parts = images, [(n, rng)]
        if generated is not None:
            batch = torch.cat([images, self.unlabelled_batch(), generated.detach()])
            parts.append((2 * n, self.rng))
        logits = self.discriminator(batch, self.discriminator.noise(*parts, device=self.device))
        labelled = F.cross_entropy(logits[:n], classes)
        accuracy = (logits[:n].argmax(1) == classes).float().mean()
        metrics = {"loss_labelled": labelled, "accuracy_labelled": accuracy}
        if generated is None:
            update(self.discriminator_optimizer, labelled)
            return metrics
        real, fake = real_logits(logits[n:]).split(n)
        unlabelled = cross_entropy(real, fake) / 2
        update(self.discriminator_optimizer, labelled + self.config.unlabelled_weight * unlabelled)
        return {**metrics, "loss_unlabelled": unlabelled}

    def _update_generator(self, generated: Tensor) -> Tensor:
        """The real images are a second batch, which the discriminator has not just been trained on."""
        n = len(generated)
        with parametrize.cached():  # both passes have the same weights
            with torch.no_grad():
                real = self.discriminator.features(self.unlabelled_batch(), self._noise(n))
            loss = feature_matching(self.discriminator.features(generated, self._noise(n)), real)
        update(self.generator_optimizer, loss)
        return loss

    def _noise(self, n: int) -> Tensor:
        return self.discriminator.noise((n, self.rng), device=self.device)

    def judge(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.averaged.module(x)
        return logits.softmax(1), real_logits(logits)

    def networks(self) -> dict[str, nn.Module]:
        """The generator and the averaged discriminator."""
        return {"generator": self.generator, "discriminator": self.averaged.module}
