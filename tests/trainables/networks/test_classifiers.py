"""The classifiers of detectors, against counts by hand and the closed forms of kernels and moving averages."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from trainables.errors import InputError
from trainables.networks.classifiers import COUNT, KernelClassifier, feature_network, softmax_classifier


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def small(embedding_size=4, length_scale=0.1, num_classes=3):
    torch.manual_seed(0)
    return KernelClassifier((1, 8, 8), num_classes, 5, 1 / 16, embedding_size, length_scale).eval()


def test_the_published_network_has_the_layers_of_the_authors_code():
    """Convolutions with bias and BatchNorm: 64, 128, 128 maps; 512 numbers to 256 features."""
    convolutions = (9 * 1 * 64 + 64) + (9 * 64 * 128 + 128) + (9 * 128 * 128 + 128)
    features = convolutions + 2 * (64 + 128 + 128) + 512 * 256 + 256
    assert count(feature_network((1, 28, 28), 256, 1.0)) == features
    assert count(softmax_classifier((1, 28, 28), 10, 256, 1.0)) == features + 256 * 10 + 10
    assert count(KernelClassifier((1, 28, 28), 10, 256, 1.0, 256, 0.1)) == features + 10 * 256 * 256


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 8, 8), (3, 16, 16), (1, 28, 28), (3, 20, 33)])
def test_images_of_every_size_have_features(shape):
    assert feature_network(shape, 6, 1 / 16)(torch.zeros(2, *shape)).shape == (2, 6)


@pytest.mark.parametrize("shape", [(2,), (1, 3, 8)])
def test_refuses_points_and_images_that_cannot_be_pooled(shape):
    with pytest.raises(InputError, match="at least 4x4"):
        feature_network(shape, 6, 1.0)


def test_the_kernel_is_one_at_the_centroid_and_falls_with_the_distance():
    network = small()
    centroids = network.sums / network.counts[:, None]
    direction = F.normalize(torch.ones_like(centroids), dim=1)
    kernels = [(-network.exponents((centroids + r * direction)[None])).exp()[0] for r in (0.0, 0.1, 0.2, 0.4)]
    assert torch.allclose(kernels[0], torch.ones(3), atol=1e-6)
    assert all((nearer > farther).all() for nearer, farther in pairwise(kernels))
    # A unit vector, so the mean of the squares is r^2 over the 4 dimensions.
    assert torch.allclose(kernels[2], torch.exp(torch.tensor(-(0.2**2) / 4 / (2 * 0.1**2))).expand(3), rtol=1e-4)


def test_the_kernel_is_a_mean_over_dimensions():
    """Each dimension twice changes nothing."""
    once, twice = small(4), small(8)
    twice.sums = once.sums.repeat(1, 2)
    embeddings = torch.randn(6, 3, 4)
    assert torch.allclose(once.exponents(embeddings), twice.exponents(embeddings.repeat(1, 1, 2)), rtol=1e-5)


def test_centroids_approach_a_constant_embedding_as_the_moving_averages_say():
    network, decay, n = small(), 0.9, 7
    labels = torch.tensor([0, 0, 0, 1, 2])
    value = torch.tensor([1.0, -2.0, 3.0, 0.5])
    before = network.sums.clone()
    for _ in range(n):
        network.move_centroids(value.expand(5, 3, 4), labels, decay)
    kept = decay**n
    counts = kept * COUNT + (1 - kept) * torch.tensor([3.0, 1.0, 1.0])
    sums = kept * before + (1 - kept) * torch.tensor([3.0, 1.0, 1.0])[:, None] * value
    assert torch.allclose(network.counts, counts, rtol=1e-5)
    assert torch.allclose(network.sums, sums, rtol=1e-5)


def test_a_class_that_is_not_in_the_batch_keeps_its_centroid():
    network = small()
    before = network.sums[2] / network.counts[2]
    network.move_centroids(torch.randn(4, 3, 4), torch.tensor([0, 1, 0, 1]), 0.9)
    assert torch.allclose(network.sums[2] / network.counts[2], before, rtol=1e-5)


def test_embeddings_are_of_each_class_its_own_matrix():
    network = small()
    x = torch.randn(2, 1, 8, 8)
    features = network.features(x)
    expected = torch.stack([features @ network.embedding[c].T for c in range(3)], dim=1)
    assert torch.allclose(network.embed(x), expected, atol=1e-6)
