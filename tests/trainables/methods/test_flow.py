from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from trainables.data.batches import EpochSampler
from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.methods.base import sub_seed
from trainables.methods.flow import Flow, FlowConfig, rate_share
from trainables.networks.unet import UNet, waves
from trainables.testing.data import tiny_points

CPU = torch.device("cpu")


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def convolution(inputs, outputs, kernel):
    return inputs * outputs * kernel**2 + outputs


def block(inputs, outputs, time=64):
    shortcut = convolution(inputs, outputs, 1) if inputs != outputs else 0
    norms = 2 * inputs + 2 * outputs
    layers = convolution(inputs, outputs, 3) + convolution(outputs, outputs, 3)
    return norms + layers + time * outputs + outputs + shortcut


def expected(maps):
    time = 32 * 64 + 64 + 64 * 64 + 64
    down = sum(block(b, m) for b, m in zip([maps[0], *maps[:-1]], maps, strict=True))
    halve = sum(convolution(m, m, 3) for m in maps[:-1])
    double = sum(convolution(m, b, 3) for b, m in pairwise(maps))
    up = sum(block(2 * m, m) for m in maps[:-1])
    ends = convolution(1, maps[0], 3) + 2 * maps[0] + convolution(maps[0], 1, 3)
    return time + down + halve + 2 * block(maps[-1], maps[-1]) + double + up + ends


@pytest.mark.parametrize(
    ("shape", "maps", "number"), [((1, 8, 8), (32, 64), 305_857), ((1, 28, 28), (16, 32, 32), 157_185)]
)
def test_the_networks_have_the_weights_of_their_layers(shape, maps, number):
    network = UNet(shape, maps)
    assert parameters(network) == expected(maps) == number
    assert network(torch.randn(3, *shape), torch.rand(3)).shape == (3, *shape)


def test_images_that_cannot_be_halved_are_refused():
    with pytest.raises(InputError, match="sides divide by 8"):
        UNet((1, 28, 28), (4, 4, 4, 4))


def test_points_are_refused():
    with pytest.raises(InputError, match="flow is for images, and 'tiny' has points"):
        Flow(FlowConfig.tiny(), tiny_points(), CPU)


def test_the_network_sees_the_time():
    network = UNet((1, 8, 8), (8, 8))
    torch.nn.init.normal_(network.exit[-1].weight)
    x = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)).expand(2, -1, -1, -1)
    early, late = network(x, torch.tensor([0.1, 0.9]))
    assert not torch.allclose(early, late)
    features = waves(torch.tensor([0.0, 0.5]))
    assert torch.equal(features[0], torch.cat([torch.zeros(16), torch.ones(16)]))
    assert features[1, 0].item() == pytest.approx(math.sin(0.5))


def test_the_first_loss_is_the_mean_square_of_the_difference_of_data_and_noise(tiny_dataset):
    """The network's last layer is 0 at first, so that it answers 0."""
    method = Flow(FlowConfig.tiny(seed=3), tiny_dataset, CPU)
    rng = torch.Generator().manual_seed(sub_seed(3, "training"))
    x1 = to_tensor(tiny_dataset.train.examples[EpochSampler(60, 16, rng).next().numpy()])
    x0 = torch.randn(x1.shape, generator=rng)
    assert method.train_round()["loss_matching"] == pytest.approx((x1 - x0).square().mean().item(), rel=1e-6)


def test_the_loss_falls(tiny_dataset):
    method = Flow(FlowConfig.tiny(lr=5e-3), tiny_dataset, CPU)
    losses = [method.train_round()["loss_matching"] for _ in range(60)]
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])


def test_the_average_is_exponential(tiny_dataset):
    """`m^(n-1) w_1 + (1 - m) sum m^(n-i) w_i` for the weights `w_i` after each of `n` rounds."""
    m, n = 0.8, 5
    method = Flow(FlowConfig.tiny(ema_decay=m), tiny_dataset, CPU)
    weights = []
    for _ in range(n):
        method.train_round()
        weights.append(method.network.entry.weight.detach().clone())
    average = m ** (n - 1) * weights[0] + sum((1 - m) * m ** (n - i) * weights[i - 1] for i in range(2, n + 1))
    assert torch.allclose(method.networks()["network"].entry.weight, average, atol=1e-7)


def test_the_rate_rises_linearly_and_falls_along_a_cosine(tiny_dataset):
    assert [rate_share(k, 4, 0) for k in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert [rate_share(k, 0, 4) for k in range(6)] == pytest.approx(
        [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 0, 0]
    )
    method = Flow(FlowConfig.tiny(lr=0.1, warmup_rounds=2, decay_rounds=4), tiny_dataset, CPU)
    rates = []
    for _ in range(4):
        method.train_round()
        rates.append(method.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.05, 0.1 * (1 + math.sqrt(0.5)) / 2, 0.05, 0.1 * (1 - math.sqrt(0.5)) / 2])


def test_without_an_average_the_network_itself_samples(tiny_dataset):
    method = Flow(FlowConfig.tiny(ema_decay=0.0), tiny_dataset, CPU)
    method.train_round()
    assert method.networks()["network"] is method.network
    assert method.sample(3, torch.Generator().manual_seed(0)).abs().max() <= 1


def test_a_wider_network_has_more_maps(tiny_dataset):
    method = Flow(FlowConfig.tiny(width=2.0), tiny_dataset, CPU)
    assert method.network.entry.out_channels == 8
