from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch.distributions import Normal, kl_divergence

from trainables.data.cache import prepare
from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.methods.vae import Vae, VaeConfig
from trainables.networks.autoencoder import conv_decoder, conv_encoder, mlp_decoder, mlp_encoder
from trainables.testing import MethodContract
from trainables.testing.data import tiny_points
from trainables.variational import bernoulli_cost, divergence_from_prior, normal_cost, reparameterise

CPU = torch.device("cpu")


def new_rng(seed=0):
    return torch.Generator().manual_seed(seed)


class ConvolutionalConfig(VaeConfig):
    @classmethod
    def tiny(cls, **settings):
        return super().tiny(**{"network": "conv", "likelihood": "normal", **settings})


class Convolutional(Vae):
    Config = ConvolutionalConfig


class TestConvolutionalVae(MethodContract):
    method = Convolutional


def test_the_divergence_is_that_of_normal_distributions():
    mean, log_variance = torch.randn(2, 5, 3, generator=new_rng()).double()
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(divergence_from_prior(mean, log_variance), expected)
    assert torch.equal(divergence_from_prior(torch.zeros(2, 3), torch.zeros(2, 3)), torch.zeros(2))


def test_the_costs_are_negative_log_likelihoods():
    predicted, x = torch.randn(2, 5, 1, 3, 3, generator=new_rng()).double()
    by_torch = -Normal(predicted, 0.7).log_prob(x).flatten(1).sum(1)
    assert torch.allclose(normal_cost(predicted, x, 0.7), by_torch)
    bits = (x > 0).double()
    by_torch = -torch.distributions.Bernoulli(logits=predicted).log_prob(bits).flatten(1).sum(1)
    assert torch.allclose(bernoulli_cost(predicted, bits), by_torch)


def test_codes_have_the_moments_of_their_distribution_and_a_gradient():
    mean = torch.tensor([[1.0, -2.0]]).requires_grad_()
    log_variance = torch.tensor([[math.log(0.25), math.log(4.0)]]).requires_grad_()
    codes = reparameterise(mean, log_variance, torch.randn(100_000, 2, generator=new_rng()))
    assert torch.allclose(codes.mean(0), mean[0], atol=0.03)
    assert torch.allclose(codes.std(0), torch.tensor([0.5, 2.0]), rtol=0.02)
    codes.mean(0).sum().backward()
    assert torch.allclose(mean.grad, torch.ones(1, 2))


def test_a_linear_vae_reaches_the_likelihood_of_probabilistic_pca(cache_dir):
    """Tipping and Bishop 1999 have the maximum in closed form, and scikit-learn computes it."""
    dataset, dim = prepare("digits", cache_dir), 4
    x = to_tensor(dataset.train.examples).flatten(1)
    pca = PCA(dim, svd_solver="full").fit(x.double().numpy())
    std = math.sqrt(pca.noise_variance_)
    config = VaeConfig(hidden_layers=0, likelihood="normal", pixel_std=std, latent_dim=dim, batch_size=len(x), lr=0.1)
    method = Vae(config, dataset, CPU)
    for number in range(400):
        method.optimizer.param_groups[0]["lr"] = 0.1 * (1 + math.cos(math.pi * number / 400)) / 2
        method.train_round()
    with torch.no_grad():
        mean, log_variance = method.encoder(x)
        predicted = method.decoder(mean).flatten(1)
        # The expectation over codes is exact: an affine decoder spreads their variance over the pixels.
        spread = log_variance.exp() @ method.decoder[0].weight.square().sum(0)
        cost = normal_cost(predicted, x, std) + spread / (2 * std**2) + divergence_from_prior(mean, log_variance)
    bound = -cost.double().mean().item()
    best = pca.score(x.double().numpy())
    assert best - 0.5 < bound < best + 1e-3


@pytest.mark.parametrize(("likelihood", "std"), [("bernoulli", 0.2), ("normal", 0.3)])
def test_a_round_minimises_the_bound_by_hand(likelihood, std, tiny_dataset):
    method = Vae(VaeConfig.tiny(likelihood=likelihood, pixel_std=std), tiny_dataset, CPU)
    twin = Vae(VaeConfig.tiny(likelihood=likelihood, pixel_std=std), tiny_dataset, CPU)
    x = twin._real_batch()
    noise = torch.randn(16, 3, generator=twin.rng)
    mean, log_variance = twin.encoder(x)
    decoded = twin.decoder(mean + (log_variance / 2).exp() * noise)
    if likelihood == "bernoulli":
        p, gray = decoded.sigmoid(), (x + 1) / 2
        cost = -(gray * p.log() + (1 - gray) * (1 - p).log()).sum((1, 2, 3))
    else:
        cost = -Normal(decoded, std).log_prob(x).sum((1, 2, 3))
    prior = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert method.train_round() == pytest.approx(
        {
            "loss_elbo": (cost + prior).mean().item(),
            "loss_reconstruction": cost.mean().item(),
            "loss_prior": prior.mean().item(),
        },
        rel=1e-5,
    )


def test_the_bound_rises(tiny_dataset):
    method = Vae(VaeConfig.tiny(lr=1e-2), tiny_dataset, CPU)
    losses = [method.train_round()["loss_elbo"] for _ in range(60)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.3


def test_a_score_is_the_bound_at_the_mean_of_the_code(tiny_dataset):
    method = Vae(VaeConfig.tiny(likelihood="normal", pixel_std=0.5), tiny_dataset, CPU)
    x = to_tensor(tiny_dataset.test.examples)
    with torch.no_grad():
        mean, log_variance = method.encoder(x)
        likelihood = Normal(method.decoder(mean), 0.5).log_prob(x).sum((1, 2, 3))
        prior = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(method.score(x), likelihood - prior, rtol=1e-5)


def test_reconstructions_are_decoded_means_and_samples_are_decoded_draws_of_the_prior(tiny_dataset):
    method = Vae(VaeConfig.tiny(), tiny_dataset, CPU)
    x = to_tensor(tiny_dataset.test.examples)
    with torch.no_grad():
        assert torch.allclose(method.reconstruct(x), method.decoder(method.encoder(x)[0]).sigmoid() * 2 - 1)
        codes = torch.randn(16, 3, generator=new_rng(3))
        assert torch.allclose(method.sample(16, new_rng(3)), method.decoder(codes).sigmoid() * 2 - 1)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32)])
def test_a_decoder_ends_at_the_shape_that_the_encoder_began_with(shape):
    x = torch.randn(4, *shape)
    for encoder, decoder in (
        (mlp_encoder(shape, 5, 2, 7), mlp_decoder(shape, 5, 2, 7)),
        (conv_encoder(shape, 5, 1 / 16, 7), conv_decoder(shape, 5, 1 / 16)),
    ):
        mean, log_variance = encoder(x)
        assert mean.shape == log_variance.shape == (4, 5)
        assert decoder(mean).shape == x.shape


def test_the_perceptrons_are_those_of_the_specification():
    """784-400-400-(20, 20) and 20-400-400-784."""
    sizes = [(784, 400), (400, 400), (400, 40), (20, 400), (400, 400), (400, 784)]
    networks = (mlp_encoder((1, 28, 28), 20, 2, 400), mlp_decoder((1, 28, 28), 20, 2, 400))
    number = sum(p.numel() for network in networks for p in network.parameters())
    assert number == sum(before * after + after for before, after in sizes)


def test_points_are_refused():
    with pytest.raises(InputError, match="vae is for images, and 'tiny' has points"):
        Vae(VaeConfig.tiny(), tiny_points(), CPU)
