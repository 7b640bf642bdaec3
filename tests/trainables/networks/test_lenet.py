from __future__ import annotations

import pytest
import torch

from trainables.extractors.base import images_at_once
from trainables.networks.lenet import LeNet


def num_parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_has_the_parameters_of_the_report_for_mnist() -> None:
    convolutions = (1 * 5 * 5 + 1) * 32 + (32 * 5 * 5 + 1) * 64
    linears = (64 * 7 * 7 + 1) * 1024 + (1024 + 1) * 10
    assert convolutions + linears == 3_274_634
    assert num_parameters(LeNet((1, 28, 28), 10)) == 3_274_634


def test_is_small_for_small_images() -> None:
    convolutions = (1 * 5 * 5 + 1) * 32 + (32 * 5 * 5 + 1) * 64
    linears = (64 * 2 * 2 + 1) * 256 + (256 + 1) * 10
    assert convolutions + linears == 120_458
    assert num_parameters(LeNet((1, 8, 8), 10)) == 120_458


@pytest.mark.parametrize(
    ("shape", "num_features"),
    [((1, 28, 28), 1024), ((1, 8, 8), 256), ((3, 32, 32), 1024), ((1, 12, 9), 384), ((2, 4, 4), 64)],
)
def test_features_are_those_of_the_hidden_layer_after_its_relu(shape: tuple[int, int, int], num_features: int) -> None:
    network = LeNet(shape, num_classes=7)
    x = torch.rand(5, *shape) * 2 - 1
    assert network.num_features == num_features
    assert network.features(x).shape == (5, num_features)
    assert network.features(x).min() >= 0
    assert network(x).shape == (5, 7)


def test_drops_features_in_training_alone() -> None:
    network = LeNet((1, 8, 8), num_classes=10)
    x = torch.rand(4, 1, 8, 8) * 2 - 1
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


def test_refuses_images_that_cannot_be_pooled_twice() -> None:
    with pytest.raises(ValueError, match="3x8"):
        LeNet((1, 3, 8), num_classes=10)


@pytest.mark.parametrize("side", [68, 256, 512])
def test_its_size_is_bounded_whatever_the_images(side):
    with torch.device("meta"):
        network = LeNet((3, side, side), 10)
        assert network(torch.zeros(2, 3, side, side)).shape == (2, 10)
    assert sum(parameter.numel() for parameter in network.parameters()) < 17e6
    assert network.state_dict().keys() == LeNet((1, 28, 28), 10).state_dict().keys()


def test_fewer_large_images_are_taken_at_once():
    sizes = [images_at_once((3, side, side), 1000) for side in (8, 28, 64, 128, 512, 4096)]
    assert sizes == [1000, 1000, 1000, 250, 15, 1]
