"""PresGAN: a GAN with learned noise on every pixel and an entropy term against mode collapse.

Dieng et al. 2019, *Prescribed generative adversarial networks* (arXiv:1910.04302); settings that the paper leaves open
are those of the authors' code. [Yesilcimen 2022] has its figures in table 4.3.

The model is `x = mu(z) + sigma * eta`, with the generator `mu`, standard normal `eta`, and one `sigma` for each pixel.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from trainables.data.dataset import Dataset
from trainables.hamiltonian import HmcSettings, Sampled, gradient_of, sample
from trainables.methods.gan import Gan, GanConfig
from trainables.methods.latents import Distribution
from trainables.methods.scalars import Scalars
from trainables.networks.batch_norm import gathering_nothing


class PresGanConfig(GanConfig):
    """The defaults are the settings of the authors' code, with the limits of sigma, which it has as an option."""

    latent: Distribution = "normal"
    weight_decay: float = Field(0.0, ge=0, description="of Adam: an L2 term in the loss")
    lambda_entropy: float = Field(0.01, ge=0, description="weight of the entropy of generated data")
    initial_sigma: float = Field(
        0.3133, ge=0, le=10, description="deviation of the noise at first; 0: no noise, and no entropy term"
    )
    sigma_lr: float = Field(2e-4, ge=0, le=1, description="Adam's rate for sigma; 0: sigma stays as it is")
    smallest_sigma: float = Field(0.01, gt=0, le=1)
    largest_sigma: float = Field(0.3, gt=0, le=10)
    limit_sigma: bool = Field(True, description="whether sigma stays between these; off in the authors' code")
    posterior: Literal["as_written", "as_released"] = Field(
        "as_written",
        description="how the chains for the entropy find their way: by the gradient of the posterior, or, as in the "
        "authors' code, by the gradient of the prior alone",
    )
    burn_in: int = Field(2, ge=0, le=1000)
    posterior_samples: int = Field(2, ge=1, le=1000)
    leapfrog_steps: int = Field(5, ge=1, le=1000)
    target_acceptance: float = Field(0.67, gt=0, lt=1)
    step_adaptation: float = Field(0.02, ge=0, lt=1)

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        return super().tiny(**{"latent_dim": 4, "leapfrog_steps": 2, "generator_depth": 0, **settings})

    @model_validator(mode="after")
    def _noise_has_an_entropy(self) -> PresGanConfig:
        if self.initial_sigma == 0 and self.lambda_entropy > 0:
            raise ValueError("without noise there is no entropy: set lambda_entropy to 0, or initial_sigma above 0")
        if self.smallest_sigma > self.largest_sigma:
            raise ValueError("smallest_sigma is above largest_sigma")
        return self


class PresGan(Gan):
    """A `Gan` whose networks are trained on noisy data; samples are shown without noise, as in the authors' code.

    The gradient of the entropy is the mean of `c * dx/dw`, where `c` is minus the score of the model's density at `x`:
    `c = E[(x - mu(z)) / sigma^2 | x]`. Chains of Hamiltonian Monte Carlo estimate it. They start at the latent from
    which `x` was made, and normalise by the statistics of their batch, as the generator does in training.
    """

    Config = PresGanConfig
    config: PresGanConfig
    state: ClassVar[tuple[str, ...]] = (*Gan.state, "log_sigma", "hmc_step")

    def __init__(self, config: PresGanConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        sides = (1, *dataset.shape[1:]) if len(dataset.shape) == 3 else dataset.shape
        self.log_sigma = torch.full(sides, inverse_softplus(config.initial_sigma), device=device).requires_grad_()
        """Sigma is its softplus. A pixel has one for all channels."""
        self.hmc_step = torch.tensor(1 / config.latent_dim, device=device)
        if self._is_sigma_learned:
            self.generator_optimizer.add_param_group(
                {"params": [self.log_sigma], "lr": config.sigma_lr, "weight_decay": 0.0}
            )
            self._limit_sigma()
        self.hmc = HmcSettings(
            config.burn_in,
            config.posterior_samples,
            config.leapfrog_steps,
            config.target_acceptance,
            config.step_adaptation,
        )
        self._latents_of_generated = torch.empty(0)
        self._sampled: Sampled | None = None

    @property
    def _is_sigma_learned(self) -> bool:
        return self.config.initial_sigma > 0 and self.config.sigma_lr > 0

    def step(self) -> Scalars:
        """One iteration of a `Gan`; `sigma` is the mean over the pixels, `hmc_accepted` the share of accepted moves."""
        metrics = dict(super().step())
        if self.config.initial_sigma > 0:
            metrics["sigma"] = self._sigma().detach().mean()
        if self._sampled is not None:
            metrics["hmc_accepted"] = self._sampled.accepted
        return metrics

    def _sigma(self) -> Tensor:
        return F.softplus(self.log_sigma)

    def _noisy(self, x: Tensor, sigma: Tensor) -> Tensor:
        if self.config.initial_sigma == 0:
            return x
        return x + sigma * torch.randn(x.shape, generator=self.rng, device=self.device).to(x)

    def _real_batch(self) -> Tensor:
        return self._noisy(super()._real_batch(), self._sigma().detach())

    def _generate(self) -> Tensor:
        self._latents_of_generated = self._latents(self.rng)
        return self._noisy(self.generator(self._latents_of_generated), self._sigma())

    def _generator_loss(self, generated: Tensor) -> Tensor:
        loss = super()._generator_loss(generated)
        if self.config.lambda_entropy == 0:
            return loss
        factor = self.minus_score(generated.detach(), self._latents_of_generated)
        entropy = (factor * generated).flatten(1).sum(1).mean()  # its gradient is the entropy's, not its value
        return loss - self.config.lambda_entropy * entropy

    def _update_generator(self, generated: Tensor) -> Tensor:
        loss = super()._update_generator(generated)
        if self._is_sigma_learned:
            self._limit_sigma()
        return loss

    def minus_score(self, x: Tensor, latents: Tensor) -> Tensor:
        """`E[(x - mu(z)) / sigma^2 | x]` for data `x` made from `latents`: minus the gradient of `log p(x)`."""
        sigma = self._sigma().detach()
        with gathering_nothing(self.generator):

            def potential(z: Tensor) -> Tensor:
                """Minus `log p(x, z)`, up to a constant."""
                errors = (x - self.generator(z)) / sigma
                return (z.square().sum(1) + errors.square().flatten(1).sum(1)) / 2

            is_right = self.config.posterior == "as_written"
            gradient = gradient_of(potential) if is_right else lambda z: z
            self._sampled = sample(latents, potential, gradient, self.hmc_step, self.hmc, self.rng)
            self.hmc_step = self._sampled.step
            with torch.no_grad():
                means = torch.stack([self.generator(z) for z in self._sampled.positions]).mean(0)
        return (x - means) / sigma.square()

    def _limit_sigma(self) -> None:
        if self.config.limit_sigma:
            limits = (inverse_softplus(self.config.smallest_sigma), inverse_softplus(self.config.largest_sigma))
            self.log_sigma.data.clamp_(*limits)


def inverse_softplus(y: float) -> float:
    """The number whose softplus is `y`; far below 0 for `y = 0`."""
    return math.log(math.expm1(y)) if y > 0 else -1e3
