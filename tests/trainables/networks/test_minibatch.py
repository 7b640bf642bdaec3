"""Minibatch discrimination against loops, kernel sums and its limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from trainables.networks import DISCRIMINATORS
from trainables.networks.minibatch import INITIAL_DISTANCE, MinibatchDiscrimination, closeness_to_others

N, A, B, C = 5, 4, 3, 2


@pytest.fixture
def layer():
    torch.manual_seed(0)
    layer = MinibatchDiscrimination(A, B, C).double()
    with torch.no_grad():
        layer.log_scales.normal_()
        layer.bias.normal_()
    return layer


@pytest.fixture
def features():
    return torch.randn(N, A, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def projected(layer, features):
    """`M` `(n, B, C)` by its definition: the columns of T have the length `exp(log_scale)`."""
    t = layer.directions.detach().numpy().reshape(A, B, C)
    t = t / np.sqrt((t**2).sum(0)) * np.exp(layer.log_scales.detach().numpy())
    return np.einsum("na,abc->nbc", features.numpy(), t)


def test_the_output_is_three_loops(layer, features):
    m = projected(layer, features)
    expected = np.zeros((N, B))
    for i in range(N):
        for j in range(N):
            for b in range(B):
                if i != j:
                    expected[i, b] += np.exp(-np.abs(m[i, b] - m[j, b]).sum())
    found = layer(features).detach().numpy()
    assert found.shape == (N, A + B)
    assert np.array_equal(found[:, :A], features.numpy())
    assert np.allclose(found[:, A:], expected + layer.bias.detach().numpy(), atol=1e-6)


def test_the_closeness_is_a_kernel_sum_without_the_example_itself(layer, features):
    m = projected(layer, features)
    expected = np.stack([np.exp(-cdist(m[:, b], m[:, b], "cityblock")).sum(1) - 1 for b in range(B)], axis=1)
    found = closeness_to_others(torch.from_numpy(m).permute(1, 0, 2))
    assert np.allclose(found.numpy(), expected, atol=1e-10)


def test_gradients_are_those_of_finite_differences(layer, features):
    parameters = [p.detach().requires_grad_() for p in layer.parameters()]

    def output(f, *values):
        names = [name for name, _ in layer.named_parameters()]
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), f)

    assert torch.autograd.gradcheck(output, (features.clone().requires_grad_(), *parameters))


def closeness(layer, features):
    return (layer(features)[:, A:] - layer.bias).detach()


def test_equal_examples_are_as_close_as_there_are_others_and_distant_ones_not_at_all(layer, features):
    assert torch.allclose(closeness(layer, features[:1].expand(N, A)), torch.full((N, B), N - 1.0, dtype=torch.float64))
    assert closeness(layer, 1e4 * features).max() < 1e-6
    assert closeness(layer, features[:1]).abs().max() < 1e-12  # alone


def test_a_permutation_of_the_batch_permutes_the_output(layer, features):
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.allclose(layer(features[order]), layer(features)[order], atol=1e-12)


def test_the_initial_scales_and_biases_are_of_a_batch(layer, features):
    f = torch.randn(64, A, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * 30
    layer.initialise_by_data(f)
    m = projected(layer, f)
    for b in range(B):
        distances = cdist(m[:, b], m[:, b], "cityblock")
        np.fill_diagonal(distances, np.inf)
        assert distances.min(1).mean() == pytest.approx(INITIAL_DISTANCE)
    assert layer(f)[:, A:].mean(0).abs().max() < 1e-10


def test_compared_with_others_an_example_does_not_depend_on_its_batch(layer, features):
    others = torch.randn(7, A, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    with layer.comparing_with(others):
        together = layer(features)
        alone = torch.cat([layer(row[None]) for row in features])
    assert torch.allclose(together, alone, atol=1e-12)
    in_a_batch = layer(torch.cat([features[:1], others]))[0]
    assert torch.allclose(together[0], in_a_batch, atol=1e-10)
    assert not torch.allclose(layer(features), together)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("residual_a", (2,)),
        ("mlp", (2,)),
        ("dcgan", (1, 8, 8)),
        ("residual_b", (1, 8, 8)),
        ("dcgan_upsampling_32", (1, 8, 8)),
    ],
)
def test_any_discriminator_can_compare_within_batches(name, shape):
    torch.manual_seed(0)
    network = DISCRIMINATORS[name](shape=shape, depth=0, width=1 / 8, batch_norm=False).eval()
    x = torch.rand(6, *shape) * 2 - 1
    features = network.features(x)
    assert torch.allclose(network(x), network.layers[-1](network.layers[-2](features)))
    network.compare_within_batches(3, 2)
    assert torch.equal(network.features(x), features)
    logits = network(x)
    assert logits.shape == (6,)
    assert torch.allclose(logits, network.layers[-2][1](network.minibatch(features))[:, 0])
    assert not torch.allclose(network(x[:3]), logits[:3])
