from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from trainables.methods.abilities import Reconstructs, Samples, Scores
from trainables.methods.vae_gan import LEARNED, VaeGan, VaeGanConfig, balanced
from trainables.networks.autoencoder import FeatureDiscriminator
from trainables.variational import normal_cost

CPU = torch.device("cpu")
NETWORKS = ("encoder", "decoder", "discriminator")


def make(dataset, **settings):
    return VaeGan(VaeGanConfig.tiny(**settings), dataset, CPU)


def losses_of(method, seed=0):
    rng = torch.Generator().manual_seed(seed)
    noise, codes = torch.randn(2, 16, 3, generator=rng)
    return method.losses(method._real_batch(), noise, codes)


def changed(method):
    """The networks that a round changes."""
    before = {name: [p.clone() for p in network.parameters()] for name, network in method.all_networks().items()}
    method.train_round()
    return {
        name
        for name, network in method.all_networks().items()
        if any(not torch.equal(p, q) for p, q in zip(network.parameters(), before[name], strict=True))
    }


def test_the_truth_table_is_the_papers():
    """Larsen et al. 2015, algorithm 1: which of the three losses updates which network."""
    table = {
        ("encoder", "prior"): True,
        ("encoder", "reconstruction"): True,
        ("encoder", "gan"): False,
        ("decoder", "prior"): False,
        ("decoder", "reconstruction"): True,
        ("decoder", "gan"): True,
        ("discriminator", "prior"): False,
        ("discriminator", "reconstruction"): False,
        ("discriminator", "gan"): True,
    }
    learned = LEARNED["features_and_gan"]
    assert {(network, loss): loss in learned[network] for network, loss in table} == table


@pytest.mark.parametrize("arm", LEARNED)
@pytest.mark.parametrize("loss", ["prior", "reconstruction", "gan"])
def test_each_loss_reaches_the_networks_of_the_table_and_no_others(arm, loss, tiny_dataset):
    """All other losses are made 0 after the forward pass, so what still moves a network is this one."""
    method = make(tiny_dataset, arm=arm, lr=1e-2)
    real_losses = method.losses
    names = {"prior": ["prior"], "reconstruction": ["reconstruction"], "gan": ["discriminator", "generator"]}[loss]

    def only(*inputs):
        return {name: value if name in names else 0 * value for name, value in real_losses(*inputs).items()}

    method.losses = only
    assert changed(method) == {network for network in NETWORKS if loss in LEARNED[arm][network]}


@pytest.mark.parametrize("arm", LEARNED)
def test_every_arm_trains_samples_and_has_the_abilities_of_its_networks(arm, tiny_dataset):
    method = make(tiny_dataset, arm=arm)
    trained = {network for network in NETWORKS if LEARNED[arm][network]}
    assert changed(method) == trained == method.networks().keys()
    assert isinstance(method, Samples)
    assert (Reconstructs in method.lacks) == ("encoder" not in trained)
    assert (Scores in method.lacks) == ("discriminator" not in trained)
    assert method.sample(5, torch.Generator().manual_seed(0)).shape == (5, 1, 8, 8)


def test_with_the_identity_as_features_the_loss_is_the_normal_one_of_pixels(tiny_dataset):
    by_features, by_pixels = (make(tiny_dataset, arm=arm, pixel_std=1.0) for arm in ("features", "pixels"))
    by_features.discriminator.features = torch.nn.Flatten()
    by_features.discriminator.score = torch.nn.Sequential(torch.nn.Linear(64, 1), torch.nn.Flatten(0))
    costs = [losses_of(method)["reconstruction"].item() for method in (by_features, by_pixels)]
    assert costs[0] == pytest.approx(costs[1], rel=1e-6)


def test_the_losses_are_those_of_the_paper(tiny_dataset):
    method = make(tiny_dataset, gamma=0.25)
    for network in method.all_networks().values():
        network.eval()
    x = method._real_batch()
    noise, codes = torch.randn(2, 16, 3, generator=torch.Generator().manual_seed(0))
    losses = method.losses(x, noise, codes)
    mean, log_variance = method.encoder(x)
    reconstructed = method.decoder(mean + (log_variance / 2).exp() * noise).tanh()
    (real, features), (again, features_again), (sampled, _) = (
        method.discriminator(images) for images in (x, reconstructed, method.decoder(codes).tanh())
    )
    half_squares = (features - features_again).square().sum(1).mean() / 2
    constant = features.shape[1] * math.log(2 * math.pi) / 2
    assert losses["reconstruction"].item() == pytest.approx(half_squares.item() + constant, rel=1e-5)
    minus_log = F.binary_cross_entropy_with_logits
    fakes = torch.cat([again, sampled])
    assert losses["cost_real"].item() == pytest.approx(minus_log(real, torch.ones(16)).item(), rel=1e-5)
    assert losses["cost_fake"].item() == pytest.approx(minus_log(fakes, torch.zeros(32)).item(), rel=1e-5)
    assert losses["generator"].item() == pytest.approx(minus_log(fakes, torch.ones(32)).item(), rel=1e-5)
    objectives = method.objectives(losses)
    mean_error = losses["reconstruction"] / features.shape[1]
    assert objectives["decoder"].item() == pytest.approx((0.25 * mean_error + 0.75 * losses["generator"]).item())
    assert objectives["encoder"].item() == pytest.approx((losses["prior"] + losses["reconstruction"]).item())


def test_samples_alone_may_be_the_fakes(tiny_dataset):
    both, alone = (make(tiny_dataset, reconstructions_are_fakes=value) for value in (True, False))
    assert losses_of(both)["cost_real"] == losses_of(alone)["cost_real"]
    first, second = losses_of(both, 1)["cost_fake"], losses_of(alone, 1)["cost_fake"]
    assert first != second


@pytest.mark.parametrize(
    ("real", "fake", "expected"),
    [
        (0.68, 0.68, (True, True)),
        (0.1, 0.68, (False, True)),  # D is far ahead on real images
        (0.68, 0.1, (False, True)),
        (1.2, 0.68, (True, False)),  # D is far behind
        (0.68, 1.2, (True, False)),
        (0.1, 1.2, (True, True)),  # neither would be updated: both are
        (0.34, 1.02, (True, True)),  # both within the margin
    ],
)
def test_the_balance_rule(real, fake, expected):
    assert balanced(real, fake, equilibrium=0.68, margin=0.35) == expected


def test_the_balance_skips_the_network_that_is_ahead(tiny_dataset):
    assert changed(make(tiny_dataset, balance=True, equilibrium=5.0, margin=0.1)) == {"encoder", "decoder"}
    behind = make(tiny_dataset, balance=True, equilibrium=0.01, margin=0.001)
    assert changed(behind) == {"encoder", "discriminator"}
    assert changed(make(tiny_dataset, balance=True, equilibrium=0.7, margin=0.7)) == set(NETWORKS)


def test_the_discriminator_shows_the_maps_before_its_hidden_layer():
    network = FeatureDiscriminator((1, 28, 28), width=0.5, dense_units=64)
    logits, features = network(torch.randn(3, 1, 28, 28))
    assert logits.shape == (3,)
    assert features.shape == (3, network.num_features) == (3, 64 * 7 * 7)
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [(c.out_channels, c.kernel_size[0], c.stride[0]) for c in convolutions] == [
        (16, 3, 1),
        (32, 4, 2),
        (64, 4, 2),
    ]


def test_its_scores_use_statistics_of_real_images(tiny_dataset):
    method = make(tiny_dataset)
    for network in method.all_networks().values():
        network.train()
    x = method._real_batch()
    norm = method.discriminator.features[2][1]
    with torch.no_grad():
        entry = method.discriminator.features[:2](x)
        expected = 0.1 * method.discriminator.features[2][0](entry).mean((0, 2, 3))
        method.losses(x, *torch.randn(2, 16, 3, generator=torch.Generator().manual_seed(0)))
    assert torch.allclose(norm.running_mean, expected, atol=1e-6)


def test_the_reconstruction_cost_of_equal_features_is_its_constant():
    x = torch.randn(4, 6)
    assert torch.allclose(normal_cost(x, x), torch.full((4,), 3 * math.log(2 * math.pi)))
