from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp, softmax
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from trainables.metrics.detectors import (
    energy_score,
    mahalanobis,
    maximum_softmax,
    neighbour_score,
    residual,
    vim,
)


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


def correlated(rng, n, d):
    return rng.normal(size=(n, d)) @ np.random.default_rng(1).normal(size=(d, d))


def test_mahalanobis_is_scikit_learns_distance_to_the_nearest_class(rng):
    training, labels = correlated(rng, 200, 6), rng.integers(0, 3, 200)
    means = np.stack([training[labels == c].mean(0) for c in range(3)])
    covariance = EmpiricalCovariance(assume_centered=True).fit(training - means[labels])
    x = correlated(rng, 30, 6)
    expected = -np.min([covariance.mahalanobis(x - mean) for mean in means], axis=0)
    np.testing.assert_allclose(mahalanobis(training, labels)(x), expected, rtol=1e-8)


def test_mahalanobis_does_not_depend_on_units_nor_on_units_that_never_fire(rng):
    training, labels, x = correlated(rng, 200, 4), rng.integers(0, 2, 200), correlated(rng, 10, 4)
    expected = mahalanobis(training, labels)(x)
    scale = np.array([1e-2, 1.0, 10.0, 100.0])
    np.testing.assert_allclose(mahalanobis(training * scale, labels)(x * scale), expected, rtol=1e-6)
    dead, of_x = (np.hstack([a, np.zeros((len(a), 3))]) for a in (training, x))
    np.testing.assert_allclose(mahalanobis(dead, labels)(of_x), expected, rtol=1e-8)


def test_the_residual_is_what_scikit_learns_components_leave(rng):
    training, x = correlated(rng, 300, 8), correlated(rng, 20, 8)
    pca = PCA(3).fit(training)
    expected = -np.linalg.norm(x - pca.inverse_transform(pca.transform(x)), axis=1)
    np.testing.assert_allclose(residual(training, 3)(x), expected, rtol=1e-8)
    np.testing.assert_allclose(residual(training, 50)(x), residual(training, 7)(x))


def test_vim_is_its_formula_with_scikit_learns_components(rng):
    """Wang et al. 2022, section 4: residuals of features moved to the new origin, about which nothing is centred."""
    training, x = correlated(rng, 300, 8), correlated(rng, 20, 8)
    weight, bias = rng.normal(size=(4, 8)), rng.normal(size=4)
    origin = -np.linalg.pinv(weight) @ bias
    np.testing.assert_allclose(weight @ origin + bias, 0, atol=1e-12)  # all logits are 0 there
    both = np.vstack([training - origin, origin - training])  # symmetric, so that PCA's mean is 0
    kept = PCA(3).fit(both).components_

    def lengths(features):
        moved = features - origin
        return np.linalg.norm(moved - moved @ kept.T @ kept, axis=1)

    factor = (training @ weight.T + bias).max(1).mean() / lengths(training).mean()
    expected = logsumexp(x @ weight.T + bias, axis=1) - factor * lengths(x)
    np.testing.assert_allclose(vim(training, weight, bias, 3)(x), expected, rtol=1e-8)


def test_vim_needs_dimensions_that_are_left():
    with pytest.raises(ValueError, match="no 3 components to leave out of 3"):
        vim(np.eye(3), np.eye(3), np.ones(3), 3)
