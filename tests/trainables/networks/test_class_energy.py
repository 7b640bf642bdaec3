from __future__ import annotations

import pytest
import torch

from trainables.networks.class_energy import ClassEnergyDiscriminator


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_full_width_has_the_published_number_of_parameters():
    """[Yesilcimen 2022], table 4.3."""
    assert count(ClassEnergyDiscriminator((1, 28, 28), 10)) == 14_995_477


def test_quarter_width_counted_by_hand():
    convolutions = (9 * 1 * 64 + 64) + 2 * (9 * 64 * 64 + 64) + (9 * 64 * 16 + 16)
    features = 64 * 4 * 4 + 16 * 2 * 2
    linears = (features * 64 + 64) + (64 * 16 + 16) + (16 * 10 + 10) + (10 + 1)
    assert count(ClassEnergyDiscriminator((1, 8, 8), 10, width=0.25)) == convolutions + linears


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 9, 7)])
def test_takes_images_of_any_size_and_channels(shape):
    network = ClassEnergyDiscriminator(shape, num_classes=26, width=1 / 32)
    scores, energies = network(torch.zeros(5, *shape))
    assert scores.shape == (5,)
    assert energies.shape == (5, 26)


def test_the_score_is_a_linear_layer_on_the_class_energies():
    network = ClassEnergyDiscriminator((1, 8, 8), 10, width=1 / 32)
    scores, energies = network(torch.randn(3, 1, 8, 8))
    activated = torch.where(energies > 0, energies, 0.2 * energies)
    assert torch.allclose(scores, network.score(activated).squeeze(1))
