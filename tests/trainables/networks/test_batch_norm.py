from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from trainables.networks.batch_norm import gathering_nothing, normalising_by


@pytest.fixture
def network():
    """A linear layer, BatchNorm that has seen a batch, and dropout."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    network(torch.randn(16, 3) * 2 + 1)
    return network


def normalised(network, x, statistics):
    """By hand: the linear layer, then the textbook's formula without dropout."""
    h = network[0](x)
    norm = network[1]
    running = (norm.running_mean, norm.running_var)
    mean, variance = running if statistics == "running" else (h.mean(0), h.var(0, correction=0))
    return (h - mean) / (variance + norm.eps).sqrt() * norm.weight + norm.bias


@pytest.mark.parametrize("statistics", ["running", "batch"])
def test_normalises_with_the_chosen_statistics_and_gathers_none(network, statistics):
    x = torch.randn(8, 3)
    before = copy.deepcopy(network.state_dict())
    with normalising_by(network, statistics):
        assert torch.allclose(network(x), normalised(network, x, statistics), atol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("training", [True, False])
def test_gathers_nothing_and_normalises_as_before(network, training):
    network[2] = nn.Identity()  # no random numbers
    x = torch.randn(8, 3)
    expected = copy.deepcopy(network).train(training)(x)
    before = copy.deepcopy(network.state_dict())
    network.train(training)
    with gathering_nothing(network):
        assert torch.equal(network(x), expected)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    network.train()(x)
    assert not torch.equal(network[1].running_mean, before["1.running_mean"])


@pytest.mark.parametrize("training", [True, False])
def test_leaves_the_network_as_it_was_even_after_an_error(network, training):
    network.train(training)
    with pytest.raises(ZeroDivisionError), normalising_by(network, "batch"):
        raise ZeroDivisionError
    assert all(module.training == training for module in network.modules())
    assert network[1].track_running_stats
