"""Generative adversarial networks: one generator against one discriminator, with any of the losses.

The documents are [Yamazaki 2017] (residual networks), [Halbreich 2023] (losses, ratio of steps) and [Tabak 2016]
(perceptrons).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from trainables.adversarial_losses import ADVERSARIAL_LOSSES, LossName, gradient_penalty, unchanged
from trainables.data.batches import EpochSampler
from trainables.data.dataset import Dataset
from trainables.data.subset import choose
from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.losses import feature_matching
from trainables.methods import batchwise
from trainables.methods.base import MethodConfig, seeded_networks, sub_seed
from trainables.methods.latents import Distribution, Latents
from trainables.methods.scalars import Scalars
from trainables.methods.stackable import Stackable
from trainables.methods.updates import update
from trainables.networks import DISCRIMINATORS, GENERATORS, DiscriminatorName, GeneratorName
from trainables.networks.batch_norm import Statistics, gathering_nothing, normalising_by
from trainables.networks.discriminator import Discriminator
from trainables.networks.layers import initialise

REFERENCE_SEED = 0
"""Picks the real data that minibatch discrimination is initialised by, and those that it compares with in scoring."""


class GanConfig(MethodConfig):
    """The defaults are the settings of [Yamazaki 2017] for MNIST (appendix A) with the plain network `M0_B`."""

    generator: GeneratorName = Field(
        "residual_b", description="a name in trainables.networks; '..._after_stride' is another reading of the blocks"
    )
    discriminator: DiscriminatorName = Field("residual_b", description="the same for the discriminator")
    generator_depth: int = Field(0, ge=0, description="residual blocks of a stage, or hidden layers of a perceptron")
    discriminator_depth: int = Field(0, ge=0, description="the same for the discriminator")
    generator_width: float = Field(1.0, gt=0, le=4, description="multiplies the generator's channels")
    discriminator_width: float = Field(1.0, gt=0, le=4, description="multiplies the discriminator's channels")
    batch_norm: Literal["both", "generator", "discriminator", "none"] = "both"
    init_std: float = Field(0.02, gt=0, description="deviation of the initial weights; for points 0.1 was published")
    latent_dim: int = Field(100, ge=1)
    latent: Distribution = "uniform"
    latent_scale: float = Field(1.0, gt=0, description="half the range of a uniform latent, deviation of a normal one")
    loss: LossName = Field("non_saturating", description="for points, a loss that gives probabilities")
    lambda_gp: float = Field(10.0, ge=0, description="weight of the gradient penalty, for the Wasserstein loss only")
    generator_lr: float = Field(2e-4, gt=0, le=1, description="Adam")
    discriminator_lr: float = Field(2e-4, gt=0, le=1, description="Adam")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's first decay")
    beta2: float = Field(0.999, ge=0, lt=1, description="Adam's second decay")
    weight_decay: float = Field(1e-5, ge=0, description="of Adam: an L2 term in the loss")
    batch_size: int = Field(64, ge=2, le=4096)
    generator_loss: Literal["adversarial", "feature_matching"] = Field(
        "adversarial", description="what the generator minimises: its part of `loss`, or the distance of mean features"
    )
    minibatch_kernels: int = Field(0, ge=0, le=1000, description="minibatch discrimination in D: kernels; 0: off")
    minibatch_dims: int = Field(5, ge=1, le=100, description="dimensions of each kernel")
    discriminator_step: Literal["together", "apart"] = Field(
        "together", description="'apart': Adam makes a step on generated data, then one on real data"
    )
    d_steps: int = Field(1, ge=1, le=100, description="updates of the discriminator in a round")
    g_steps: int = Field(1, ge=1, le=100, description="updates of the generator in a round")
    ema_decay: float = Field(0.0, ge=0, lt=1, description="decay of an averaged generator, which then samples; 0: off")
    sampling_statistics: Statistics = Field(
        "running", description="statistics that BatchNorm in the generator uses for samples"
    )

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        small = {"generator_width": 1 / 16, "discriminator_width": 1 / 16, "batch_size": 16, "ema_decay": 0.5}
        return cls(**{**small, "generator_depth": 1, "discriminator_depth": 1, **settings})

    @model_validator(mode="after")
    def _penalty_of_single_examples(self) -> GanConfig:
        # The penalty is on the gradient of one example, and these mix the examples of a batch.
        if self.loss != "wasserstein" or self.lambda_gp == 0:
            return self
        if self.discriminator_step == "apart":
            raise ValueError(
                "the gradient penalty is of real and generated data together: "
                "set discriminator_step to 'together', or lambda_gp to 0"
            )
        if self.batch_norm in ("both", "discriminator"):
            raise ValueError(
                "the gradient penalty needs a discriminator without BatchNorm: "
                "set batch_norm to 'generator' or 'none', or lambda_gp to 0"
            )
        if self.minibatch_kernels > 0:
            raise ValueError(
                "the gradient penalty needs a discriminator without minibatch discrimination: "
                "set minibatch_kernels or lambda_gp to 0"
            )
        return self


class Gan(Stackable):
    """A round is one iteration: `d_steps` updates of D, then `g_steps` of G.

    Every update of D gets the next batch of real data, and data generated from new latents. The first update of G uses
    the latents of D's last update, since G has not changed and its forward pass serves both. Further updates of G use
    new latents.

    BatchNorm normalises real and generated data apart, each by its own batch, in training. Samples are made with
    running statistics ([Yamazaki 2017], appendix D) or with the statistics of batches of `batch_size`; pictures and
    metrics use the same samples. D gathers its running statistics from real batches only, and `score` uses them: so
    real data get the scores that they get in training. Minibatch discrimination compares the examples of a real or of a
    generated batch, too, and never one with the other. An averaged generator also averages the running statistics, with
    the same decay as its weights.

    Scores of points are logits, so points need a loss that gives probabilities (`trainables.adversarial_losses`).
    Scores of images are D's outputs without a change.
    """

    Config = GanConfig
    needs_data = False
    stacks = True
    config: GanConfig
    state: ClassVar[tuple[str, ...]] = (
        "round",
        "generator",
        "discriminator",
        "averaged",
        "generator_optimizer",
        "discriminator_optimizer",
        "real_batches",
        "evaluation_seed",
    )
    round_metrics = (
        "loss_generator",
        "loss_discriminator",
        "output_real",
        "output_generated",
        "gradient_penalty",
        "images_generated",
    )
    progress_metrics = ("images_generated",)

    def __init__(self, config: GanConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        self.loss = ADVERSARIAL_LOSSES[config.loss]
        logits = self.loss.logits if len(dataset.shape) == 1 else unchanged
        if logits is None:
            raise InputError(
                f"the loss {config.loss!r} gives no probability that a point is real, and {dataset.name!r} has points: "
                "set loss to 'non_saturating', 'saturating' or 'l2'."
            )
        self.logits = logits
        self.latents = Latents(config.latent, config.latent_dim, config.latent_scale)
        with seeded_networks(config.seed):
            generator = GENERATORS[config.generator](
                shape=dataset.shape,
                latent_dim=config.latent_dim,
                depth=config.generator_depth,
                width=config.generator_width,
                batch_norm=config.batch_norm in ("both", "generator"),
            )
            initialise(generator, config.init_std)
            discriminator = self._make_discriminator()
        # Convolutions of this memory format cost a fifth less on a CPU, and no more on a GPU.
        self.generator = generator.to(device).to(memory_format=torch.channels_last)
        self.discriminator = discriminator.to(device).to(memory_format=torch.channels_last)
        self.generator_optimizer = self._adam(self.generator, config.generator_lr)
        self.discriminator_optimizer = self._adam(self.discriminator, config.discriminator_lr)
        self.averaged: AveragedModel | None = None
        if config.ema_decay > 0:
            average = get_ema_multi_avg_fn(config.ema_decay)
            self.averaged = AveragedModel(self.generator, multi_avg_fn=average, use_buffers=True)
        self.real_batches = EpochSampler(len(dataset.train), config.batch_size, self.rng)
        self.evaluation_seed = sub_seed(config.seed, "evaluation")
        self.round = 0

    def _make_discriminator(self) -> Discriminator:
        config = self.config
        discriminator = DISCRIMINATORS[config.discriminator](
            shape=self.dataset.shape,
            depth=config.discriminator_depth,
            width=config.discriminator_width,
            batch_norm=config.batch_norm in ("both", "discriminator"),
        )
        if config.minibatch_kernels > 0:
            discriminator.compare_within_batches(config.minibatch_kernels, config.minibatch_dims)
        initialise(discriminator, config.init_std)
        if discriminator.minibatch is not None:
            real = to_tensor(choose(self.dataset.train.examples, config.batch_size, REFERENCE_SEED))
            with torch.no_grad(), gathering_nothing(discriminator):
                discriminator.minibatch.initialise_by_data(discriminator.features(real))
        return discriminator

    def _adam(self, network: nn.Module, lr: float) -> torch.optim.Adam:
        betas = (self.config.beta1, self.config.beta2)
        return torch.optim.Adam(
            network.parameters(), lr=lr, betas=betas, weight_decay=self.config.weight_decay, fused=True
        )

    def step(self) -> Scalars:
        """One iteration. The metrics are means over its updates of each network.

        `output_real` and `output_generated` are D's mean outputs before its updates: probabilities if the loss is one
        of probabilities, else the outputs themselves.
        """
        config = self.config
        self.round += 1
        discriminator_metrics, generator_losses = [], []
        for step in range(config.d_steps):
            with torch.set_grad_enabled(step == config.d_steps - 1):
                generated = self._generate()
            discriminator_metrics.append(self._update_discriminator(generated.detach()))
        for step in range(config.g_steps):
            if step > 0:
                generated = self._generate()
            generator_losses.append(self._update_generator(generated))
        names = discriminator_metrics[0]
        means = {name: torch.stack([m[name] for m in discriminator_metrics]).mean(0) for name in names}
        images = float(config.batch_size * (config.d_steps + config.g_steps - 1))
        return {"loss_generator": torch.stack(generator_losses).mean(0), **means, "images_generated": images}

    def _generate(self) -> Tensor:
        """Data generated from new latents, for an update."""
        return self.generator(self.each(lambda member: member._latents(member.rng)))

    def _real_batch(self) -> Tensor:
        """The next batch of real data."""
        return self.training_examples(self.each(lambda member: member.real_batches.next()))

    def _update_discriminator(self, generated: Tensor) -> dict[str, Tensor]:
        config = self.config
        real = self._real_batch()
        if config.discriminator_step == "apart":
            return self._two_steps(real, generated)
        real_outputs, fake_outputs = self.discriminator(real), self._judge(generated)
        loss = self.loss.discriminator(real_outputs, fake_outputs)
        metrics = {}
        if config.loss == "wasserstein" and config.lambda_gp > 0:
            shares = self.each(lambda member: torch.rand(config.batch_size, generator=member.rng, device=self.device))
            penalty = gradient_penalty(self.discriminator, real, generated, shares)
            loss = loss + config.lambda_gp * penalty
            metrics["gradient_penalty"] = penalty.detach()
        update(self.discriminator_optimizer, loss)
        return {"loss_discriminator": loss.detach(), **self._mean_outputs(real_outputs, fake_outputs), **metrics}

    def _two_steps(self, real: Tensor, generated: Tensor) -> dict[str, Tensor]:
        """As in the public code of [Yamazaki 2017]: Adam, whose steps do not add up, sees each part by itself."""
        fake_outputs = self._judge(generated)
        # All discriminators' losses are sums of a part of real and a part of generated data: the other one is constant.
        update(self.discriminator_optimizer, self.loss.discriminator(torch.zeros_like(fake_outputs), fake_outputs))
        real_outputs, fake_outputs = self.discriminator(real), fake_outputs.detach()
        loss = self.loss.discriminator(real_outputs, fake_outputs)
        update(self.discriminator_optimizer, loss)
        return {"loss_discriminator": loss.detach(), **self._mean_outputs(real_outputs, fake_outputs)}

    def _mean_outputs(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        outputs = torch.stack([real.detach(), fake.detach()])
        output_real, output_generated = (outputs.sigmoid() if self.loss.on_logits else outputs).mean(-1)
        return {"output_real": output_real, "output_generated": output_generated}

    def _update_generator(self, generated: Tensor) -> Tensor:
        loss = self._generator_loss(generated)
        update(self.generator_optimizer, loss)
        if self.averaged is not None:
            self.averaged.update_parameters(self.generator)
        return loss.detach()

    def _generator_loss(self, generated: Tensor) -> Tensor:
        if self.config.generator_loss == "adversarial":
            return self.loss.generator(self._judge(generated))
        real = self._real_batch()  # a new one, which D has not just been trained on
        with gathering_nothing(self.discriminator):
            with torch.no_grad():
                of_real = self.discriminator.features(real)
            return feature_matching(self.discriminator.features(generated), of_real)

    def _judge(self, generated: Tensor, discriminator: nn.Module | None = None) -> Tensor:
        """D's outputs on generated data in training; its running statistics are of real data only."""
        discriminator = self.discriminator if discriminator is None else discriminator
        with gathering_nothing(discriminator):
            return discriminator(generated)

    def _latents(self, rng: torch.Generator) -> Tensor:
        """A batch of latents `(batch_size, latent_dim)`."""
        return self.latents.draw(self.config.batch_size, rng).to(self.device)

    def draw_latents(self, n: int, rng: torch.Generator) -> Tensor:
        """`n` latents of the prior, `(n, latent_dim)`, on the device of `rng`."""
        return self.latents.draw(n, rng)

    def prior(self) -> Distribution:
        """The distribution of latents."""
        return self.latents.distribution

    def generate(self, latents: Tensor) -> Tensor:
        """The samples of latents, with running statistics: each depends on its own latent alone. Keeps gradients."""
        network = self.networks()["generator"]
        with normalising_by(network, "running"):
            return network(latents)

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """`n` images in [-1, 1], or points, made in whole batches; the first ones do not depend on `n`."""
        network = self.networks()["generator"]
        with normalising_by(network, self.config.sampling_statistics):
            samples = batchwise.make(n, self.config.batch_size, lambda: network(self._latents(rng))).contiguous()
        return samples.clamp(-1.0, 1.0) if samples.dim() == 4 else samples

    def samples_to_evaluate(self, n: int, rng: torch.Generator) -> Tensor:
        """`n` samples of the same latents in every evaluation, as in [Yamazaki 2017], section 5.2.

        The latents follow from the config's seed; `rng` is not used.
        """
        return self.follow(n)

    def follow(self, n: int) -> Tensor:
        """`n` samples of latents that are the same in every evaluation."""
        return self.sample(n, torch.Generator().manual_seed(self.evaluation_seed))

    def score(self, x: Tensor) -> Tensor:
        """D's outputs `(n,)`; for points, the logits of the probability that they are real.

        Minibatch discrimination compares each example with the same real ones, one fewer than a batch has.
        """
        return self._logits_by(self.discriminator, x)

    def _logits_by(self, discriminator: Discriminator, x: Tensor) -> Tensor:
        """The scores `(n,)` by one discriminator."""
        with normalising_by(discriminator, "running"), self._comparing_with_real(discriminator):
            return self.logits(batchwise.outputs(discriminator, x, self.device))

    @contextmanager
    def _comparing_with_real(self, discriminator: Discriminator) -> Iterator[None]:
        if discriminator.minibatch is None:
            yield
            return
        real = choose(self.dataset.train.examples, self.config.batch_size - 1, REFERENCE_SEED)
        with torch.inference_mode():
            others = discriminator.features(to_tensor(real, self.device))
        with discriminator.minibatch.comparing_with(others):
            yield

    def networks(self) -> dict[str, nn.Module]:
        """The averaged generator, or the generator if there is no average, and the discriminator."""
        generator = self.generator if self.averaged is None else self.averaged.module
        return {"generator": generator, "discriminator": self.discriminator}
