"""PresGAN against normal distributions, against the plain GAN, and against finite differences."""

from __future__ import annotations

import pydantic
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from trainables.methods.gan import Gan
from trainables.methods.presgan import PresGan, inverse_softplus

CPU = torch.device("cpu")


def made(dataset, **settings):
    return PresGan(PresGan.Config.tiny(**settings), dataset, CPU)


LATENT_DIM, PIXELS, SIGMA = 8, 16, 0.3


class Affine(nn.Module):
    """`mu(z) = W z + b`, for images of 1x4x4: so `p(x)` and `p(z | x)` are normal."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = torch.randn(PIXELS, LATENT_DIM, generator=generator) / LATENT_DIM**0.5
        self.shift = torch.randn(PIXELS, generator=generator)

    def forward(self, z):
        return (z @ self.weight.T + self.shift).view(-1, 1, 4, 4)

    def score(self, x):
        """The gradient of `log p(x)`, of `N(b, W W' + sigma^2)`."""
        covariance = self.weight @ self.weight.T + SIGMA**2 * torch.eye(PIXELS)
        return -(x.flatten(1) - self.shift) @ torch.linalg.inv(covariance)

    def posterior(self, x):
        """The mean `(n, d)` and the covariance of `p(z | x)`."""
        covariance = torch.linalg.inv(torch.eye(LATENT_DIM) + self.weight.T @ self.weight / SIGMA**2)
        return (x.flatten(1) - self.shift) @ self.weight @ covariance / SIGMA**2, covariance


def affine_presgan(dataset, **settings):
    """With an affine generator; the step is 1 / 8 at first."""
    model = made(dataset, initial_sigma=SIGMA, latent_dim=LATENT_DIM, leapfrog_steps=5, limit_sigma=False, **settings)
    model.generator = Affine()
    model.log_sigma = torch.full((1, 4, 4), inverse_softplus(SIGMA))
    return model


def data_of(model, n):
    latents = torch.randn(n, LATENT_DIM, generator=torch.Generator().manual_seed(1))
    noise = torch.randn(n, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    return model.generator(latents) + SIGMA * noise, latents


def error_of_the_factor(dataset, **settings):
    """Relative to the score that it should be minus; and the share of accepted moves."""
    model = affine_presgan(dataset, **settings)
    x, latents = data_of(model, 200)
    found, expected = model.minus_score(x, latents).flatten(1), -model.generator.score(x)
    return ((found - expected).abs().mean() / expected.abs().mean()).item(), model._sampled.accepted.item()


LONG = {"burn_in": 30, "posterior_samples": 100}


def test_with_an_affine_generator_the_factor_is_minus_the_score_of_a_normal_distribution(tiny_dataset):
    few, _ = error_of_the_factor(tiny_dataset)
    many, accepted = error_of_the_factor(tiny_dataset, **LONG)
    assert many < 0.2 < 0.4 < few  # it falls with the number of samples
    assert accepted > 0.6


def test_as_released_the_chains_stay_where_they_are_and_the_factor_is_noise(tiny_dataset):
    """With the four published moves; and chains of a length that nobody can afford in every update are still bad."""
    few, accepted = error_of_the_factor(tiny_dataset, posterior="as_released")
    many, _ = error_of_the_factor(tiny_dataset, posterior="as_released", **LONG)
    assert few > 0.8
    assert accepted < 0.02
    assert many > 0.35


def test_the_chains_have_the_mean_and_the_covariance_of_the_posterior(tiny_dataset):
    model = affine_presgan(tiny_dataset, **LONG)
    x, latents = data_of(model, 1)
    x, latents = x.expand(200, -1, -1, -1), latents.expand(200, -1)
    model.minus_score(x, latents)
    positions = model._sampled.positions.reshape(-1, LATENT_DIM)
    mean, covariance = model.generator.posterior(x[:1])
    torch.testing.assert_close(positions.mean(0), mean[0], atol=0.03, rtol=0)
    torch.testing.assert_close(positions.T.cov(), covariance, atol=0.02, rtol=0)


def test_without_noise_and_entropy_it_is_the_plain_gan_bit_for_bit(tiny_dataset):
    settings = {"generator_depth": 0, "latent": "normal", "weight_decay": 0.0, "latent_dim": 4}
    plain = Gan(Gan.Config.tiny(**settings), tiny_dataset, CPU)
    without = made(tiny_dataset, lambda_entropy=0.0, initial_sigma=0.0, **settings)
    for _ in range(3):
        assert without.train_round() == plain.train_round()
    rngs = [torch.Generator().manual_seed(0) for _ in range(2)]
    assert torch.equal(without.sample(5, rngs[0]), plain.sample(5, rngs[1]))


def test_the_gradient_of_sigma_is_that_of_finite_differences(tiny_dataset):
    """Of the generator's loss with a constant factor, in float64."""
    model = made(tiny_dataset, batch_size=4, batch_norm="none", ema_decay=0.0)
    model.generator.double()
    model.discriminator.double()
    latents = torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    noise, factor = (
        torch.randn(4, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)
    )
    means = model.generator(latents).detach()

    def loss(log_sigma):
        generated = means + F.softplus(log_sigma) * noise
        return Gan._generator_loss(model, generated) - 0.01 * (factor * generated).flatten(1).sum(1).mean()

    log_sigma = torch.full((1, 8, 8), -1.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (log_sigma,))


def test_the_update_of_the_generator_moves_sigma_and_leaves_the_discriminator(tiny_dataset):
    model = made(tiny_dataset, limit_sigma=False, sigma_lr=0.1)
    model.train_round()
    before = model.log_sigma.detach().clone()
    model.discriminator.zero_grad(set_to_none=True)
    model._update_generator(model._generate())
    assert not torch.equal(model.log_sigma, before)
    assert all(parameter.grad is None for parameter in model.discriminator.parameters())
    assert all(parameter.grad is not None for parameter in model.generator.parameters())


def test_the_chains_leave_the_generator_and_its_running_statistics_alone(tiny_dataset):
    model = made(tiny_dataset)
    before = {name: value.clone() for name, value in model.generator.state_dict().items()}
    x = torch.randn(16, 1, 8, 8)
    model.minus_score(x, torch.randn(16, 4))
    assert all(torch.equal(value, before[name]) for name, value in model.generator.state_dict().items())
    assert all(parameter.grad is None for parameter in model.generator.parameters())


def test_sigma_stays_within_its_limits_or_where_it_was_put(tiny_dataset):
    limited = made(tiny_dataset, smallest_sigma=0.1, largest_sigma=0.12, sigma_lr=1.0)
    fixed = made(tiny_dataset, initial_sigma=0.5, sigma_lr=0.0)
    for _ in range(4):
        assert 0.0999 < limited.train_round()["sigma"] < 0.1201
        assert fixed.train_round()["sigma"] == pytest.approx(0.5, rel=1e-5)


def test_the_noise_is_that_of_sigma_and_samples_have_none(tiny_dataset):
    model = made(tiny_dataset, initial_sigma=0.2, limit_sigma=False, batch_size=200)
    clean = Gan._real_batch(made(tiny_dataset, batch_size=200))
    noise = model._real_batch() - clean
    assert noise.std().item() == pytest.approx(0.2, rel=0.05)
    latents = torch.Generator().manual_seed(0)
    assert torch.equal(model.sample(4, latents), model.sample(4, torch.Generator().manual_seed(0)))


def test_entropy_without_noise_and_limits_that_cross_are_refused():
    with pytest.raises(pydantic.ValidationError, match="without noise there is no entropy"):
        PresGan.Config(initial_sigma=0.0)
    with pytest.raises(pydantic.ValidationError, match="smallest_sigma is above"):
        PresGan.Config(smallest_sigma=0.5)


def test_the_defaults_are_the_published_settings():
    config = PresGan.Config()
    assert F.softplus(torch.tensor(-1.0)).item() == pytest.approx(config.initial_sigma, abs=1e-4)
    assert (config.lambda_entropy, config.generator_lr, config.beta1, config.beta2) == (0.01, 2e-4, 0.5, 0.999)
    chains = (config.burn_in, config.posterior_samples, config.leapfrog_steps, config.target_acceptance)
    assert (*chains, config.step_adaptation) == (2, 2, 5, 0.67, 0.02)
