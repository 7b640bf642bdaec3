"""Image generation with a discriminator alone and a gradient-norm penalty ([Yesilcimen 2022], algorithm 1).

A round makes one batch of images out of noise by gradient descent on the discriminator's score, puts it into
a pool of fakes, and fine-tunes the discriminator on real images and images of the pool.
"""

from __future__ import annotations

from typing import Any, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables import losses
from trainables.adversarial_losses import hinge_discriminator
from trainables.data.batches import EpochSampler
from trainables.data.dataset import Dataset
from trainables.data.scramble import scramble_strips
from trainables.data.statistics import pixel_statistics
from trainables.data.tensors import to_tensor, to_uint8
from trainables.errors import InputError
from trainables.methods import batchwise
from trainables.methods.base import Method, MethodConfig, require_finite, seeded_networks
from trainables.methods.fake_pool import FakePool
from trainables.methods.image_descent import Descent, DescentSettings, descend
from trainables.methods.updates import accuracy, as_numbers, frozen, train_to_tell_apart, update
from trainables.networks.class_energy import ClassEnergyDiscriminator


class DiscriminatorOnlyConfig(MethodConfig):
    """The defaults are the document's settings for MNIST (section 4.2.4) with "all three" terms."""

    width: float = Field(1.0, gt=0, le=4, description="multiplies the sizes of the discriminator's layers")
    batch_size: int = Field(128, ge=2, le=4096)
    initial_epochs: int = Field(10, ge=0, description="epochs of real against scrambled images")
    max_strip: float = Field(0.5, gt=0, le=1, description="widest strip of a scrambled image, as a share of its width")
    discriminator_lr: float = Field(1e-4, gt=0, le=1, description="Adam, initial training and fine-tuning")
    image_lr: float = Field(0.01, gt=0, le=10, description="Adam on the images")
    max_updates: int = Field(500, ge=1, description="most updates of a batch of images")
    lambda_stat: float = Field(100.0, ge=0, description="weight of the data set's statistics (eq. 3.4)")
    lambda_tv: float = Field(1e-3, ge=0, description="weight of the total variation (eq. 3.2)")
    lambda_gnorm: float = Field(50.0, ge=0, description="weight of the gradient norm (eq. 3.6)")
    lambda_ce: float = Field(1e-4, ge=0, description="weight of the cross-entropy (eq. 3.7)")
    gradient_norm_reading: losses.GradientNormReading = "per_image"
    pool_size: float = Field(3.0, gt=0, description="fakes kept, as a multiple of the training set's size")
    pool_slack: float = Field(0.0, ge=0, description="share by which the pool may outgrow its size before it is cut")
    fake_batches: int = Field(3, ge=1, description="batches of fakes per real batch in fine-tuning")

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        small = {"width": 1 / 64, "batch_size": 16, "initial_epochs": 1, "max_updates": 3, "pool_size": 0.7}
        return cls(**{**small, "discriminator_lr": 1e-3, **settings})


class DiscriminatorOnly(Method):
    """Discriminator-only generation of images.

    Every round reports `initial_accuracy`, which is measured once, after the initial training: the share of right
    answers for all training images, which should score above 0, and as many scrambled ones, which should score below.
    """

    Config = DiscriminatorOnlyConfig
    needs_data = False
    exported = ("pixel_mean", "pixel_variance")
    config: DiscriminatorOnlyConfig
    state = ("round", "discriminator", "optimizer", "real_batches", "pool", "epoch_images", "initial_accuracy")
    progress_metrics = ("images_generated", "inner_updates")

    def __init__(self, config: DiscriminatorOnlyConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        if len(dataset.shape) != 3:
            raise InputError(
                f"discriminator_only is for images, and {dataset.name!r} has points: use discriminator_only_points."
            )
        if config.lambda_ce > 0 and dataset.num_classes is None:
            raise InputError(f"the cross-entropy term needs labels and {dataset.name!r} has none: set lambda_ce to 0.")
        with seeded_networks(config.seed):
            network = ClassEnergyDiscriminator(dataset.shape, dataset.num_classes or 10, config.width)
        self.discriminator = network.to(device)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=config.discriminator_lr)
        length = len(dataset.train)
        self.real_batches = EpochSampler(length, config.batch_size, self.rng)
        self.pixel_mean, self.pixel_variance = pixel_statistics(dataset.train.examples, device)
        pool_size = max(1, round(config.pool_size * length))
        self.pool = FakePool(pool_size, config.pool_slack, config.batch_size, dataset.shape, device)
        self.epoch_images = torch.empty(0, *dataset.shape, dtype=torch.uint8)
        """The last generated images, on the CPU, as many as in an epoch."""
        self.initial_accuracy: float | None = None
        self.round = 0

    def train_round(self) -> dict[str, float]:
        """One pass of algorithm 1's outer loop; the initial training precedes the first."""
        if self.round == 0 and self.config.initial_epochs > 0:
            self._initial_training()
            self.initial_accuracy = self._accuracy()
        self.round += 1
        fakes = self._generate(self.rng)
        self.pool.add(fakes.images, self.score)
        metrics = self._fine_tune()
        if self.initial_accuracy is not None:
            metrics["initial_accuracy"] = self.initial_accuracy
        metrics |= as_numbers(
            {"loss_generation": fakes.loss, "score_generated": fakes.mean_score, "inner_updates": fakes.num_updates}
        )
        metrics["images_generated"] = float(len(fakes.images))
        self._keep_for_evaluation(fakes.images)
        return require_finite(metrics, self.round)

    def _initial_training(self) -> None:
        """Train real against scrambled images (eq. 3.1)."""

        def scores() -> tuple[Tensor, Tensor]:
            real, _ = self._real_batch()
            scrambled = scramble_strips(real, self.config.max_strip, self.rng)
            real_scores, fake_scores = self.discriminator(torch.cat([real, scrambled]))[0].chunk(2)
            return real_scores, fake_scores

        updates_per_epoch = -(-len(self.dataset.train) // self.config.batch_size)
        updates = self.config.initial_epochs * updates_per_epoch
        train_to_tell_apart(scores, hinge_discriminator, self.optimizer, updates)

    def _accuracy(self) -> float:
        """The accuracy with which training images are told from scrambled ones."""
        examples = self.dataset.train.examples
        real_scores, fake_scores = [], []
        for start in range(0, len(examples), batchwise.OUTPUT_BATCH):
            images = to_tensor(examples[start : start + batchwise.OUTPUT_BATCH], self.device)
            real_scores.append(self.score(images))
            fake_scores.append(self.score(scramble_strips(images, self.config.max_strip, self.rng)))
        return accuracy(torch.cat(real_scores), torch.cat(fake_scores))

    def _fine_tune(self) -> dict[str, float]:
        """One update on a real batch and on batches from the pool (eq. 3.8 and 3.9)."""
        config = self.config
        real, labels = self._real_batch()
        real.requires_grad_(config.lambda_gnorm > 0)
        real_scores, energies = self.discriminator(real)
        fakes = self.pool.draw(config.fake_batches * config.batch_size, self.rng)
        fake_scores, _ = self.discriminator(fakes)
        parts = {"loss_hinge": hinge_discriminator(real_scores, fake_scores)}
        loss = parts["loss_hinge"]
        if config.lambda_gnorm > 0:
            parts["gradient_norm"] = losses.gradient_norm(real_scores, real, config.gradient_norm_reading)
            loss = loss + config.lambda_gnorm * parts["gradient_norm"]
        if config.lambda_ce > 0 and labels is not None:
            parts["cross_entropy"] = losses.summed_cross_entropy(energies, labels)
            loss = loss + config.lambda_ce * parts["cross_entropy"]
        update(self.optimizer, loss)
        parts |= {
            "loss_discriminator": loss,
            "score_real": real_scores.mean(),
            "score_pool": fake_scores.mean(),
        }
        return as_numbers(parts)

    def _real_batch(self) -> tuple[Tensor, Tensor | None]:
        indices = self.real_batches.next().numpy()
        images = to_tensor(self.dataset.train.examples[indices], self.device)
        labels = self.dataset.train.labels
        return images, None if labels is None else torch.from_numpy(labels[indices]).to(self.device)

    def noise(self, n: int, rng: torch.Generator) -> Tensor:
        """The noise that generation starts from: `n` images of `N(mean, std)`, with each pixel's mean and deviation."""
        noise = torch.randn(n, *self.dataset.shape, generator=rng).to(self.device)
        return self.pixel_mean + self.pixel_variance.sqrt() * noise

    def _generate(self, rng: torch.Generator) -> Descent:
        """Generate a batch, always of the same size: the statistics term couples the images of a batch."""
        config = self.config
        settings = DescentSettings(lr=config.image_lr, max_updates=config.max_updates)
        with frozen(self.discriminator):
            return descend(self.noise(config.batch_size, rng), self.generation_objective, settings)

    def generation_objective(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of images `x` (eq. 3.5) and their scores."""
        scores, _ = self.discriminator(x)
        loss = losses.hinge_real(scores)
        if self.config.lambda_stat > 0:
            loss = loss + self.config.lambda_stat * losses.dataset_statistics(x, self.pixel_mean, self.pixel_variance)
        if self.config.lambda_tv > 0:
            loss = loss + self.config.lambda_tv * losses.total_variation(x)
        return loss, scores

    def _keep_for_evaluation(self, fakes: Tensor) -> None:
        """Keep the images of the last epoch, in 8 bits, as pytorch-fid reads them from files in the document."""
        kept = torch.cat([self.epoch_images, torch.from_numpy(to_uint8(fakes))])
        self.epoch_images = kept[-max(len(self.dataset.train), len(fakes)) :]

    def finish(self) -> None:
        """As in the base class; also empty the pool, which is three times as large as the training set."""
        super().finish()
        self.pool.clear()

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """`n` images; the first ones do not depend on `n`."""
        samples = batchwise.make(n, self.config.batch_size, lambda: self._generate(rng).images)
        return samples.clamp(-1.0, 1.0)

    def samples_to_evaluate(self, n: int, rng: torch.Generator) -> Tensor:
        """The last `n` images of the epoch (section 4.2.4); if there are fewer, new images are added."""
        kept = to_tensor(self.epoch_images[-n:].numpy(), self.device)
        return kept if len(kept) == n else torch.cat([kept, self.sample(n - len(kept), rng)])

    def score(self, x: Tensor) -> Tensor:
        """`D(x)`: `(n,)`."""
        return batchwise.outputs(lambda batch: self.discriminator(batch)[0], x, self.device)

    def networks(self) -> dict[str, nn.Module]:
        return {"discriminator": self.discriminator}
