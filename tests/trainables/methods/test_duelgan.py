"""DuelGAN against two plain GAN losses, and what the duel changes."""

from __future__ import annotations

import copy

import pydantic
import pytest
import torch

from trainables.adversarial_losses import cross_entropy, non_saturating
from trainables.methods.duelgan import DuelGan

CPU = torch.device("cpu")


def made(dataset, **settings):
    return DuelGan(DuelGan.Config.tiny(**{"discriminator_lr": 1e-3, **settings}), dataset, CPU)


def weights(network):
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def test_the_discriminators_start_from_different_weights(tiny_dataset):
    model = made(tiny_dataset)
    assert weights(model.discriminator).shape == weights(model.second_discriminator).shape
    assert not torch.equal(weights(model.discriminator), weights(model.second_discriminator))


def test_without_a_duel_each_discriminator_is_trained_by_its_own_loss_alone(tiny_dataset):
    """The gradients of a plain GAN's loss, for each."""
    model = made(tiny_dataset, duel="none", batch_norm="generator")
    networks = [copy.deepcopy(network) for network in model._discriminators()]
    generated = model._generate().detach()
    batches = copy.deepcopy(model.real_batches)
    real = torch.from_numpy(tiny_dataset.train.examples[batches.next().numpy()]).float() / 127.5 - 1
    metrics = model._update_discriminator(generated)
    losses = [cross_entropy(network(real), network(generated)) for network in networks]
    torch.stack(losses).sum().backward()
    assert metrics["loss_discriminator"].item() == pytest.approx(torch.stack(losses).mean().item(), rel=1e-5)
    for network, trained in zip(networks, model._discriminators(), strict=True):
        for before, after in zip(network.parameters(), trained.parameters(), strict=True):
            torch.testing.assert_close(after.grad, before.grad)


def test_the_generators_loss_is_the_mean_of_both_and_trains_the_generator_alone(tiny_dataset):
    model = made(tiny_dataset)
    model.train_round()
    generated = model._generate()
    with torch.no_grad():
        expected = sum(non_saturating(model._judge(generated, network)) for network in model._discriminators()) / 2
    for network in model._discriminators():
        network.zero_grad(set_to_none=True)
    assert model._update_generator(generated).item() == pytest.approx(expected.item(), rel=1e-5)
    for network in model._discriminators():
        assert all(parameter.grad is None for parameter in network.parameters())


def after_a_round(dataset, **settings):
    model = made(dataset, **settings)
    metrics = model.train_round()
    return metrics, torch.cat([weights(network) for network in (model.generator, *model._discriminators())])


def test_as_released_the_duel_changes_the_loss_and_nothing_else(tiny_dataset):
    none, released, written = (after_a_round(tiny_dataset, duel=duel) for duel in ("none", "as_released", "as_written"))
    assert torch.equal(released[1], none[1])
    assert not torch.equal(written[1], none[1])
    assert released[0]["loss_discriminator"] == written[0]["loss_discriminator"] != none[0]["loss_discriminator"]


def test_a_duel_without_weight_is_none(tiny_dataset):
    none, weightless = (after_a_round(tiny_dataset, **s) for s in ({"duel": "none"}, {"beta": 0.0}))
    assert torch.equal(weightless[1], none[1])
    assert weightless[0]["loss_discriminator"] == none[0]["loss_discriminator"]


def test_the_weights_rise_and_fall_with_the_rounds(tiny_dataset):
    model = made(tiny_dataset, duel_rounds=4)
    bumps = []
    for _ in range(6):
        model.train_round()
        bumps.append(model._bump())
    assert bumps == [0.75, 1.0, 0.75, 0.0, 0.0, 0.0]


def test_the_score_is_the_mean_of_both(tiny_dataset):
    model = made(tiny_dataset, batch_norm="generator")
    x = torch.rand(5, 1, 8, 8) * 2 - 1
    with torch.no_grad():
        expected = (model.discriminator(x) + model.second_discriminator(x)) / 2
    torch.testing.assert_close(model.score(x), expected)


def test_only_losses_of_probabilities_can_duel():
    with pytest.raises(pydantic.ValidationError, match="a duel compares probabilities"):
        DuelGan.Config(loss="hinge")
    with pytest.raises(pydantic.ValidationError, match="set discriminator_step to 'together'"):
        DuelGan.Config(discriminator_step="apart")


def test_the_defaults_are_the_published_settings():
    config = DuelGan.Config()
    assert (config.generator_lr, config.discriminator_lr, config.beta1, config.beta2) == (1e-4, 1e-4, 0.0, 0.99)
    assert (config.alpha, config.beta, config.batch_size, config.latent_dim) == (0.3, 0.5, 64, 100)
