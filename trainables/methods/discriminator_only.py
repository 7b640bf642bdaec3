"""Image generation with a discriminator alone and a gradient-norm penalty (thesis of 2022, algorithm 1).

A round makes one batch of images out of noise by gradient descent on the discriminator's score, puts it into
a pool of fakes, and fine-tunes the discriminator on real images and images of the pool.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables import losses
from trainables.data.batches import EpochSampler
from trainables.data.dataset import Dataset
from trainables.data.scramble import scramble_strips
from trainables.data.tensors import to_tensor, to_uint8
from trainables.errors import InputError
from trainables.methods.base import Method, MethodConfig, State, require_finite, seeded_networks
from trainables.methods.fake_pool import FakePool
from trainables.methods.image_descent import Descent, DescentSettings, descend
from trainables.networks.class_energy import ClassEnergyDiscriminator

SCORING_BATCH = 1024


class DiscriminatorOnlyConfig(MethodConfig):
    """The defaults are the thesis's settings for MNIST (section 4.2.4), "all three" terms on."""

    width: float = Field(1.0, gt=0, le=4, description="multiplies the discriminator's layers")
    batch_size: int = Field(128, ge=2, le=4096)
    initial_epochs: int = Field(10, ge=0, description="epochs of real against scrambled images")
    max_strip: float = Field(0.5, gt=0, le=1, description="widest strip of a scrambled image, share of its width")
    discriminator_lr: float = Field(1e-4, gt=0, le=1, description="Adam, initial training and fine-tuning")
    image_lr: float = Field(0.01, gt=0, le=10, description="Adam on the images")
    max_updates: int = Field(500, ge=1, description="updates of a batch of images at most")
    lambda_stat: float = Field(100.0, ge=0, description="weight of the data set's statistics (eq. 3.4)")
    lambda_tv: float = Field(1e-3, ge=0, description="weight of the total variation (eq. 3.2)")
    lambda_gnorm: float = Field(50.0, ge=0, description="weight of the gradient norm (eq. 3.6)")
    lambda_ce: float = Field(1e-4, ge=0, description="weight of the cross-entropy (eq. 3.7)")
    gradient_norm_reading: losses.GradientNormReading = "per_image"
    pool_size: float = Field(3.0, gt=0, description="fakes kept, as a multiple of the training set's size")
    pool_slack: float = Field(0.0, ge=0, description="overshoot, share of the pool, before it is scored and cut")
    fake_batches: int = Field(3, ge=1, description="batches of fakes beside one real batch in fine-tuning")


class DiscriminatorOnly(Method):
    """Section 1 of the methods: discriminator-only generation on images."""

    Config = DiscriminatorOnlyConfig
    progress_metrics = ("images_generated", "inner_updates")

    def __init__(self, config: DiscriminatorOnlyConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        self.config = config
        if config.lambda_ce > 0 and dataset.num_classes is None:
            raise InputError(f"the cross-entropy term needs labels and {dataset.name!r} has none: set lambda_ce to 0.")
        with seeded_networks(config.seed):
            network = ClassEnergyDiscriminator(dataset.shape, dataset.num_classes or 10, config.width)
        self.discriminator = network.to(device)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=config.discriminator_lr)
        self.real_batches = EpochSampler(len(dataset.train), config.batch_size, self.generator)
        pixels = to_tensor(dataset.train.examples, device)
        self.pixel_variance, self.pixel_mean = torch.var_mean(pixels, dim=0, correction=0)
        length = len(dataset.train)
        pool_size = max(1, round(config.pool_size * length))
        self.pool = FakePool(pool_size, config.pool_slack, config.batch_size, dataset.shape, device)
        self.epoch_images = torch.empty(0, *dataset.shape, dtype=torch.uint8)
        self.round = 0

    # --- training ---------------------------------------------------------------------------------

    def train_round(self) -> dict[str, float]:
        """One pass of algorithm 1's outer loop; the first is preceded by the initial training."""
        metrics = self._initial_training() if self.round == 0 else {}
        self.round += 1
        fakes = self._generate(self.config.batch_size, self.generator)
        self.pool.add(fakes.images, self.score)
        self._keep_for_evaluation(fakes.images)
        metrics |= {
            "loss_generation": fakes.loss.item(),
            "score_generated": fakes.mean_score.item(),
            "inner_updates": fakes.num_updates.item(),
            "images_generated": float(len(fakes.images)),
        }
        metrics |= self._fine_tune()
        return require_finite(metrics, self.round)

    def _initial_training(self) -> dict[str, float]:
        """Train real against scrambled images (eq. 3.1); return the accuracy of the last epoch at threshold 0."""
        batches = -(-len(self.dataset.train) // self.config.batch_size)
        correct = torch.zeros((), device=self.device)
        for epoch in range(self.config.initial_epochs):
            for _ in range(batches):
                real, _ = self._real_batch()
                scrambled = scramble_strips(real, self.config.max_strip, self.generator)
                real_scores, fake_scores = self.discriminator(torch.cat([real, scrambled]))[0].chunk(2)
                self._update(losses.hinge_real(real_scores) + losses.hinge_fake(fake_scores))
                if epoch == self.config.initial_epochs - 1:
                    correct += (real_scores > 0).sum() + (fake_scores < 0).sum()
        seen = 2 * batches * self.config.batch_size
        return {"initial_accuracy": correct.item() / seen} if self.config.initial_epochs else {}

    def _fine_tune(self) -> dict[str, float]:
        """One update on a real batch and batches of the pool (eq. 3.8 and 3.9)."""
        config = self.config
        real, labels = self._real_batch()
        real.requires_grad_(config.lambda_gnorm > 0)
        real_scores, energies = self.discriminator(real)
        fakes = self.pool.draw(config.fake_batches * config.batch_size, self.generator)
        fake_scores, _ = self.discriminator(fakes)
        parts = {"loss_hinge": losses.hinge_real(real_scores) + losses.hinge_fake(fake_scores)}
        loss = parts["loss_hinge"]
        if config.lambda_gnorm > 0:
            parts["gradient_norm"] = losses.gradient_norm(real_scores, real, config.gradient_norm_reading)
            loss = loss + config.lambda_gnorm * parts["gradient_norm"]
        if config.lambda_ce > 0 and labels is not None:
            parts["cross_entropy"] = losses.summed_cross_entropy(energies, labels)
            loss = loss + config.lambda_ce * parts["cross_entropy"]
        self._update(loss)
        parts |= {
            "loss_discriminator": loss,
            "score_real": real_scores.mean(),
            "score_pool": fake_scores.mean(),
        }
        values = torch.stack([value.detach() for value in parts.values()]).tolist()
        return dict(zip(parts, values, strict=True))

    def _update(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def _real_batch(self) -> tuple[Tensor, Tensor | None]:
        indices = self.real_batches.next().numpy()
        images = to_tensor(self.dataset.train.examples[indices], self.device)
        labels = self.dataset.train.labels
        return images, None if labels is None else torch.from_numpy(labels[indices]).to(self.device)

    # --- generation -------------------------------------------------------------------------------

    def noise(self, n: int, generator: torch.Generator) -> Tensor:
        """Where generation starts: `n` images of `N(mean, std)` of the data set, per pixel."""
        noise = torch.randn(n, *self.dataset.shape, generator=generator).to(self.device)
        return self.pixel_mean + self.pixel_variance.sqrt() * noise

    def _generate(self, n: int, generator: torch.Generator) -> Descent:
        config = self.config
        settings = DescentSettings(lr=config.image_lr, max_updates=config.max_updates)
        self.discriminator.requires_grad_(False)
        try:
            return descend(self.noise(n, generator), self.generation_objective, settings)
        finally:
            self.discriminator.requires_grad_(True)

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
        """Keep the images of the last epoch, in 8 bits as the thesis's FID script reads them from files."""
        kept = torch.cat([self.epoch_images, torch.from_numpy(to_uint8(fakes))])
        self.epoch_images = kept[-max(len(self.dataset.train), len(fakes)) :]

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """`n` images, made in batches of the training's size, since the statistics term couples a batch."""
        size = self.config.batch_size
        batches = [self._generate(size, generator).images for _ in range(-(-n // size))]
        return torch.cat(batches)[:n].clamp(-1.0, 1.0)

    def samples_to_evaluate(self, n: int, generator: torch.Generator) -> Tensor:
        """The last `n` images of the epoch (thesis, section 4.2.4), topped up with new ones."""
        kept = to_tensor(self.epoch_images[-n:].numpy(), self.device)
        return kept if len(kept) == n else torch.cat([kept, self.sample(n - len(kept), generator)])

    @torch.inference_mode()
    def score(self, x: Tensor) -> Tensor:
        """`D(x)`: `(n,)`."""
        return torch.cat([self.discriminator(batch.to(self.device))[0] for batch in x.split(SCORING_BATCH)])

    # --- state ------------------------------------------------------------------------------------

    def networks(self) -> dict[str, nn.Module]:
        return {"discriminator": self.discriminator}

    def state_dict(self) -> State:
        return {
            "round": self.round,
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "pool": self.pool.state_dict(),
            "epoch_images": self.epoch_images,
            "real_batches": self.real_batches.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: State) -> None:
        self.round = state["round"]
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.pool.load_state_dict(state["pool"])
        self.epoch_images = state["epoch_images"]
        self.real_batches.load_state_dict(state["real_batches"])
        self.generator.set_state(state["generator"].cpu())
