"""Image generation with a discriminator alone and a gradient-norm penalty ([Yesilcimen 2022], algorithm 1).

A round makes one batch of images out of noise by gradient descent on the discriminator's score, puts it into
a pool of fakes, and fine-tunes the discriminator on real images and images of the pool. This is how an energy-based
model is trained, with choices of its own; settings replace them by those that are usual there.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from trainables import losses, pixel_losses
from trainables.adversarial_losses import hinge_discriminator
from trainables.data.batches import EpochSampler
from trainables.data.dataset import Dataset
from trainables.data.scramble import scramble_strips
from trainables.data.statistics import pixel_statistics
from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.methods import batchwise
from trainables.methods.base import seeded_networks
from trainables.methods.discriminator_only_config import DiscriminatorOnlyConfig
from trainables.methods.fake_pool import FakePool, add_to_pools
from trainables.methods.image_descent import Descent, DescentSettings, descend
from trainables.methods.recent_images import RecentImages
from trainables.methods.scalars import Scalars
from trainables.methods.stackable import Stackable
from trainables.methods.updates import accuracy, frozen, train_to_tell_apart, training, update
from trainables.networks.class_energy import ClassEnergyDiscriminator

LOWEST_RATE = 0.05
"""The share of its learning rate that is left to the discriminator when the rate has fallen."""


class DiscriminatorOnly(Stackable):
    """Discriminator-only generation of images.

    Every round reports `initial_accuracy`, which is measured once, after the initial training: the share of right
    answers for all training images, which should score above 0, and as many scrambled ones, which should score below.
    """

    Config = DiscriminatorOnlyConfig
    needs_data = False
    stacks = True
    exported = ("pixel_mean", "pixel_variance")
    config: DiscriminatorOnlyConfig
    state = (
        "round",
        "discriminator",
        "averaged",
        "optimizer",
        "real_batches",
        "pool",
        "earlier",
        "epoch_images",
        "initial_accuracy",
    )
    round_metrics = (
        "loss_hinge",
        "loss_discriminator",
        "loss_generation",
        "gradient_norm",
        "r1",
        "cross_entropy",
        "score_real",
        "score_pool",
        "score_generated",
        "initial_accuracy",
        "images_generated",
        "inner_updates",
    )
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
            classes = dataset.num_classes or 10
            network = ClassEnergyDiscriminator(dataset.shape, classes, config.width, config.spectral_norm)
        # Channels last, as in `gan`; but here a CPU is no faster with it.
        order = torch.preserve_format if device.type == "cpu" else torch.channels_last
        self.discriminator = network.to(device).to(memory_format=order).eval()
        self.averaged: AveragedModel | None = None
        if config.ema_decay > 0:
            average = get_ema_multi_avg_fn(config.ema_decay)
            self.averaged = AveragedModel(self.discriminator, multi_avg_fn=average)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=config.discriminator_lr, fused=True)
        length = len(dataset.train)
        self.real_batches = EpochSampler(length, config.batch_size, self.rng)
        self.pixel_mean, self.pixel_variance = pixel_statistics(dataset.train.examples, device)
        self.pool = self._make_pool(max(1, round(config.pool_size * length)))
        self.earlier = RecentImages(config.buffer_size, dataset.shape, device) if config.start == "earlier" else None
        self.epoch_images = RecentImages(max(length, config.batch_size), dataset.shape, device)
        """The last generated images, as many as in an epoch, in 8 bits, as pytorch-fid reads them from files."""
        self.initial_accuracy: float | None = None
        self.round = 0

    def _make_pool(self, size: int) -> FakePool | RecentImages | None:
        """What fakes are drawn from in fine-tuning, unless they are the round's own."""
        config = self.config
        if config.fakes == "pool":
            return FakePool(size, config.pool_slack, config.batch_size, self.dataset.shape, self.device)
        if config.fakes == "recent":
            return RecentImages(max(size, config.batch_size), self.dataset.shape, self.device)
        return None

    def step(self) -> Scalars:
        """One pass of algorithm 1's outer loop; the initial training precedes the first."""
        if self.round == 0 and self.config.initial_epochs > 0:
            self._initial_training()
            self.keep("initial_accuracy", self._accuracy())
        self.round += 1
        fakes = self._generate()
        self._decay_rate()
        metrics = self._fine_tune(fakes.images)
        if self.config.initial_epochs > 0:
            metrics["initial_accuracy"] = self.kept("initial_accuracy")
        return {
            **metrics,
            "loss_generation": fakes.loss,
            "score_generated": fakes.mean_score,
            "inner_updates": fakes.num_updates,
            "images_generated": float(self.config.batch_size),
        }

    def _initial_training(self) -> None:
        """Train real against scrambled images (eq. 3.1)."""

        def scores() -> tuple[Tensor, Tensor]:
            real, _ = self._real_batch()
            images = torch.cat([real, self._scrambled(real)], -4)
            real_scores, fake_scores = self.discriminator(images)[0].chunk(2, -1)
            return real_scores, fake_scores

        updates_per_epoch = -(-len(self.dataset.train) // self.config.batch_size)
        updates = self.config.initial_epochs * updates_per_epoch
        with training(self.discriminator):
            train_to_tell_apart(scores, hinge_discriminator, self.optimizer, updates)

    def _scrambled(self, images: Tensor) -> Tensor:
        return self.each(lambda member, own: scramble_strips(own, self.config.max_strip, member.rng), images)

    def _accuracy(self) -> Tensor:
        """The accuracy with which training images are told from scrambled ones."""
        examples = self.dataset.train.examples
        real_scores, fake_scores = [], []
        for start in range(0, len(examples), batchwise.OUTPUT_BATCH):
            shown = to_tensor(examples[start : start + batchwise.OUTPUT_BATCH], self.device)
            images = self.each(lambda _, shown=shown: shown)
            real_scores.append(self.score(images))
            fake_scores.append(self.score(self._scrambled(images)))
        return accuracy(torch.cat(real_scores, -1), torch.cat(fake_scores, -1))

    def _decay_rate(self) -> None:
        """Let the discriminator's learning rate fall."""
        if self.config.decay_rounds > 0:
            share = min(1.0, (self.round - 1) / self.config.decay_rounds)
            for group in self.optimizer.param_groups:
                group["lr"] = self.config.discriminator_lr * (1 - share * (1 - LOWEST_RATE))

    def _fine_tune(self, just_made: Tensor) -> dict[str, Tensor]:
        """Update the discriminator on real images and on fakes; the metrics are means over the updates."""
        updates = []
        with training(self.discriminator):
            for _ in range(self.config.discriminator_updates):
                updates.append(self._update_discriminator(just_made))
                if self.averaged is not None:
                    self.averaged.update_parameters(self.discriminator)
        return {name: torch.stack([metrics[name] for metrics in updates]).mean(0) for name in updates[0]}

    def _update_discriminator(self, just_made: Tensor) -> dict[str, Tensor]:
        """One update on a real batch and on fakes (eq. 3.8 and 3.9)."""
        config = self.config
        real, labels = self._real_batch()
        real.requires_grad_(config.lambda_gnorm > 0)
        real_scores, energies = self.discriminator(real)
        fake_scores, _ = self.discriminator(self._fakes(just_made))
        parts = {"loss_hinge": hinge_discriminator(real_scores, fake_scores)}
        loss = parts["loss_hinge"]
        if config.lambda_gnorm > 0:
            name, penalty = self._gradient_penalty(real_scores, real)
            parts[name] = penalty
            loss = loss + config.lambda_gnorm * penalty
        if config.lambda_ce > 0 and labels is not None:
            parts["cross_entropy"] = losses.summed_cross_entropy(energies, labels)
            loss = loss + config.lambda_ce * parts["cross_entropy"]
        update(self.optimizer, loss)
        parts |= {
            "loss_discriminator": loss,
            "score_real": real_scores.mean(-1),
            "score_pool": fake_scores.mean(-1),
        }
        return {name: value.detach() for name, value in parts.items()}

    def _fakes(self, just_made: Tensor) -> Tensor:
        """The fakes of an update: the round's own images, or draws from a pool."""
        number = self.config.fake_batches * self.config.batch_size
        if self.members[0].pool is None:
            return just_made
        return self.each(lambda member: member.pool.draw(number, member.rng))

    def _gradient_penalty(self, real_scores: Tensor, real: Tensor) -> tuple[str, Tensor]:
        if self.config.gradient_penalty == "r1":
            return "r1", losses.r1(real_scores, real)
        return "gradient_norm", losses.gradient_norm(real_scores, real, self.config.gradient_norm_reading)

    def _real_batch(self) -> tuple[Tensor, Tensor | None]:
        indices = self.each(lambda member: member.real_batches.next())
        has_labels = self.dataset.train.labels is not None
        return self.training_examples(indices), self.training_labels(indices) if has_labels else None

    def noise(self, n: int, rng: torch.Generator) -> Tensor:
        """The noise that generation starts from: `n` images of `N(mean, std)`, with each pixel's mean and deviation."""
        noise = torch.randn(n, *self.dataset.shape, generator=rng, device=rng.device).to(self.device)
        return self.pixel_mean + self.pixel_variance.sqrt() * noise

    def starts(self, rng: torch.Generator, order: EpochSampler | None = None) -> Tensor:
        """A batch of images that generation starts from: noise, and earlier images in the order of `order`."""
        config = self.config
        noise = self.noise(config.batch_size, rng)
        if order is None or self.earlier is None:
            return noise
        earlier = self.earlier.take(order.next())
        if config.earlier_noise > 0:
            noise_on_earlier = torch.randn(earlier.shape, generator=rng, device=rng.device)
            earlier += config.earlier_noise * noise_on_earlier.to(self.device)
        is_earlier = torch.rand(config.batch_size, generator=rng, device=rng.device) < config.earlier_share
        return torch.where(is_earlier.view(-1, 1, 1, 1).to(self.device), earlier, noise)

    def _order(self, rng: torch.Generator) -> EpochSampler | None:
        """A random order of the earlier images: none of them is used twice while there are others."""
        if self.earlier is None or len(self.earlier.images) == 0:
            return None
        return EpochSampler(len(self.earlier.images), self.config.batch_size, rng)

    def _generate(self) -> Descent:
        """Generate a batch, and put it where fakes, later starts and evaluations are taken from."""
        starts = self.each(lambda member: member.starts(member.rng, member._order(member.rng)))
        made = self._descend(self.discriminator, starts, self.config.max_updates, self._update_noise)
        if isinstance(self.members[0].pool, FakePool):
            add_to_pools(self, made.images, self.score)
        for member, own in zip(self.members, self.by_member(made.images), strict=True):
            for images in (member.pool, member.earlier, member.epoch_images):
                if isinstance(images, RecentImages):
                    images.add(own)
        return made

    def _update_noise(self) -> Tensor:
        """Noise for an update of a batch of images."""
        return self.each(lambda member: member._standard_noise(member.rng))

    def _standard_noise(self, rng: torch.Generator) -> Tensor:
        return torch.randn(self.config.batch_size, *self.dataset.shape, generator=rng, device=rng.device)

    def _descend(self, network: nn.Module, starts: Tensor, updates: int, noise: Callable[[], Tensor]) -> Descent:
        """Minimise the loss of images (eq. 3.5), always of as many: the statistics term couples those of a batch."""

        def objective(x: Tensor) -> tuple[Tensor, Tensor]:
            scores, _ = outputs(x)
            return losses.hinge_real(scores), scores

        config = self.config
        settings = DescentSettings(config.image_lr, updates, config.update_noise, config.clip_images)
        with frozen(network), parametrize.cached():
            outputs: Callable[[Tensor], tuple[Tensor, Tensor]] = network
            if isinstance(network, ClassEnergyDiscriminator):  # and not several, in a stack
                outputs = network.for_passes(self.dataset.shape, updates * config.batch_size)
            return descend(starts, objective, settings, self.pixel_terms, noise)

    def pixel_terms(self, x: Tensor, gradient: Tensor) -> Tensor:
        """The terms of the loss of images `x` that depend on pixels alone (eq. 3.5); adds theirs to `gradient`."""
        config = self.config
        loss = x.new_zeros(x.shape[:-4])
        if config.lambda_stat > 0:
            mean, variance = self.pixel_mean, self.pixel_variance
            loss = loss + pixel_losses.dataset_statistics(x, mean, variance, config.lambda_stat, gradient)
        if config.lambda_tv > 0:
            loss = loss + pixel_losses.total_variation(x, config.lambda_tv, gradient)
        return loss

    def finish(self) -> None:
        """As in the base class; also empty the pool, which is three times as large as the training set."""
        super().finish()
        if self.pool is not None:
            self.pool.clear()

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """`n` images, new ones from noise or as in training; the first ones do not depend on `n`."""
        config = self.config
        network = self.discriminator if self.averaged is None else self.averaged.module
        order = None if config.sample_updates > 0 else self._order(rng)
        updates = config.sample_updates or config.max_updates

        def batch() -> Tensor:
            starts = self.starts(rng, order)
            return self._descend(network, starts, updates, lambda: self._standard_noise(rng)).images

        return batchwise.make(n, config.batch_size, batch).clamp(-1.0, 1.0)

    def samples_to_evaluate(self, n: int, rng: torch.Generator) -> Tensor:
        """The last `n` images of the epoch (section 4.2.4); if there are fewer, new images are added."""
        kept = self.epoch_images.newest(n)
        return kept if len(kept) == n else torch.cat([kept, self.sample(n - len(kept), rng)])

    def score(self, x: Tensor) -> Tensor:
        """`D(x)`: `(n,)`."""
        return batchwise.outputs(lambda batch: self.discriminator(batch)[0], x, self.device, axis=x.dim() - 4)

    def networks(self) -> dict[str, nn.Module]:
        """The discriminator, the averaged one if there is one, and the earlier images that new ones start from."""
        networks: dict[str, nn.Module] = {"discriminator": self.discriminator}
        if self.averaged is not None:
            networks["averaged"] = self.averaged.module
        if self.earlier is not None:
            networks["earlier"] = self.earlier
        return networks
