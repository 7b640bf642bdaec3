from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp, softmax
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from trainables.metrics.detectors import energy_score, maximum_softmax, neighbour_score


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_the_scores_of_logits_are_scipys(rng, scale):
    logits = scale * rng.normal(size=(50, 10)).astype(np.float32)
    np.testing.assert_allclose(maximum_softmax(logits), softmax(logits.astype(np.float64), axis=1).max(axis=1))
    for temperature in (0.5, 1.0, 100.0):
        expected = temperature * logsumexp(logits.astype(np.float64) / temperature, axis=1)
        np.testing.assert_allclose(energy_score(logits, temperature), expected)


def test_energy_tells_what_the_softmax_cannot(rng):
    """Adding to all logits changes the energy alone."""
    logits = rng.normal(size=(5, 10))
    np.testing.assert_allclose(maximum_softmax(logits + 7), maximum_softmax(logits))
    np.testing.assert_allclose(energy_score(logits + 7), energy_score(logits) + 7)


@pytest.mark.parametrize("k", [1, 5, 80])
def test_the_score_of_neighbours_is_scikit_learns_distance_between_directions(rng, k):
    features, training = rng.normal(size=(30, 6)).astype(np.float32), rng.normal(size=(80, 6)).astype(np.float32)
    oracle = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(normalize(training.astype(np.float64)))
    distances, _ = oracle.kneighbors(normalize(features.astype(np.float64)))
    np.testing.assert_allclose(neighbour_score(features, training, k), -distances[:, -1], rtol=1e-6)


def test_a_training_image_is_the_most_in_distribution_and_its_length_does_not_matter(rng):
    training = rng.normal(size=(40, 6))
    np.testing.assert_allclose(neighbour_score(3 * training, training), 0, atol=1e-6)


def test_a_feature_of_zeros_is_as_far_from_all_directions(rng):
    np.testing.assert_allclose(neighbour_score(np.zeros((2, 6)), rng.normal(size=(40, 6)), 7), -1)


@pytest.mark.parametrize("score", [maximum_softmax, energy_score, lambda x: neighbour_score(x, np.ones((4, 3)))])
@pytest.mark.parametrize("x", [np.zeros(3), np.array([[np.nan, 0, 0]]), np.array([[0, np.inf, 0]])])
def test_refuses_what_is_not_finite_or_no_matrix(score, x):
    with pytest.raises(ValueError, match="must be finite"):
        score(x)


def test_refuses_a_neighbour_that_is_not_there():
    with pytest.raises(ValueError, match="no neighbour 5 among 4"):
        neighbour_score(np.ones((1, 3)), np.ones((4, 3)), 5)
