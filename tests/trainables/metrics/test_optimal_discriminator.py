from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm
from sklearn.neighbors import KernelDensity

from trainables.data.points import POINT_SETS, Mixture
from trainables.metrics import optimal_discriminator
from trainables.metrics.optimal_discriminator import distance_to_optimal, log_density, optimal_probabilities

N = 2000


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def shape_of(name):
    """Centres and deviation of a data set's distribution."""
    point_set = POINT_SETS[name]
    if isinstance(point_set, Mixture):
        return np.array(point_set.centres), point_set.std
    return point_set.curve(), point_set.noise


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("chunk", [7, 1000])
def test_a_density_is_scikit_learns(rng, d, chunk, monkeypatch):
    monkeypatch.setattr(optimal_discriminator, "CHUNK", chunk)
    points, centres = rng.normal(3, 2, (50, d)), rng.normal(3, 1, (40, d))
    expected = KernelDensity(bandwidth=0.3).fit(centres).score_samples(points)
    np.testing.assert_allclose(log_density(points, centres, 0.3), expected, rtol=1e-4, atol=1e-4)


def test_a_density_of_a_mixture_is_the_mean_of_scipys(rng):
    centres, std = shape_of("eight_gaussians")
    points = POINT_SETS["eight_gaussians"].sample(100, rng)
    densities = np.mean([multivariate_normal(centre, std**2).pdf(points) for centre in centres], axis=0)
    np.testing.assert_allclose(log_density(points, centres, std), np.log(densities), atol=1e-4)


@pytest.mark.parametrize("name", ["spiral", "swiss_roll"])
def test_a_curve_with_noise_has_the_density_of_many_samples(rng, name):
    """The mean over t of the normal density around the curve, against the share of samples in small squares."""
    point_set = POINT_SETS[name]
    samples, side = point_set.sample(400_000, rng), point_set.noise / 2
    for point in point_set.sample(5, rng):
        share = (np.abs(samples - point) < side / 2).all(axis=1).mean()
        corners = point + side * (np.stack(np.meshgrid(*2 * [np.linspace(-0.5, 0.5, 9)]), axis=-1).reshape(-1, 2))
        mean = np.exp(log_density(corners, *shape_of(name))).mean()
        assert share / side**2 == pytest.approx(mean, rel=5 / np.sqrt(400_000 * share) + 0.02)


def test_the_integral_of_a_density_is_one():
    total, _ = quad(lambda x: float(np.exp(log_density(np.array([[x]]), np.array([[0.0], [2.0]]), 0.5))[0]), -10, 12)
    assert total == pytest.approx(1, rel=1e-4)


def test_points_far_from_everything_have_a_density_and_a_probability(rng):
    far = np.array([[1e6], [1e30], [-1e30]])
    assert np.isfinite(log_density(far, np.zeros((5, 1)), 0.01)).all()
    at_far = optimal_probabilities(far[:1], np.zeros((1, 1)), 1.0, np.full((3, 1), 1e6))
    assert at_far.tolist() == [0.0]


class TestTwoNormalDistributions:
    """Data of N(0, 1) and samples of N(1, 1.5), whose optimal discriminator is a formula."""

    def optimal(self, x, blur=0.0):
        p, q = norm.pdf(x, 0, np.hypot(1, blur)), norm.pdf(x, 1, np.hypot(1.5, blur))
        return p / (p + q)

    def distance(self, probability):
        def of(density):
            return quad(lambda x: density(x) * abs(probability(x) - self.optimal(x)), -12, 12, limit=200)[0]

        return (of(norm(0, 1).pdf) + of(norm(1, 1.5).pdf)) / 2

    def measured(self, probability, rng):
        data, generated = rng.normal(0, 1, (N, 1)), rng.normal(1, 1.5, (N, 1))
        at_data, at_generated = (probability(x[:, 0]) for x in (data, generated))
        return distance_to_optimal(at_data, at_generated, data, generated, np.zeros((1, 1)), 1.0)

    def test_the_optimum_is_the_formula(self, rng):
        x = np.linspace(-3, 4, 50)
        found = optimal_probabilities(x[:, None], np.zeros((1, 1)), 1.0, rng.normal(1, 1.5, (200_000, 1)), 0.2)
        np.testing.assert_allclose(found, self.optimal(x, blur=0.2), atol=0.01)
        np.testing.assert_allclose(found, self.optimal(x), atol=0.03)

    def test_the_best_discriminator_is_near_it(self, rng):
        assert self.measured(self.optimal, rng) < 0.03

    @pytest.mark.parametrize(
        "probability",
        [lambda x: 0.5 + 0 * x, lambda x: 1 + 0 * x, lambda x: norm.cdf(x), lambda x: 1 - norm.cdf(x)],
        ids=["blank", "accepts all", "wrong way", "steep"],
    )
    def test_the_distance_of_another_is_its_integral(self, probability, rng):
        assert self.measured(probability, rng) == pytest.approx(self.distance(probability), abs=0.03)


BLANK = np.full(N, 0.5)


@pytest.mark.parametrize(
    ("name", "floor"), [("line_3_0.5", 0.01), ("eight_gaussians", 0.035), ("spiral", 0.085), ("swiss_roll", 0.125)]
)
class TestABlankDiscriminator:
    def distance(self, name, data, generated):
        return distance_to_optimal(BLANK, BLANK, data, generated, *shape_of(name))

    def test_is_near_the_optimum_where_the_data_are_generated(self, name, floor, rng):
        data, generated = (POINT_SETS[name].sample(N, rng) for _ in range(2))
        assert self.distance(name, data, generated) < floor

    def test_is_far_from_it_where_something_else_is(self, name, floor, rng):
        data, generated = (POINT_SETS[name].sample(N, rng) for _ in range(2))
        std = shape_of(name)[1]
        shifted = generated + std
        wider = generated + 2 * std * rng.standard_normal(generated.shape)
        collapsed = np.repeat(generated[:1], N, axis=0)
        for other in (shifted, wider, collapsed):
            assert self.distance(name, data, other) > floor + 0.05

    def test_is_beaten_by_the_optimum(self, name, floor, rng):
        data, generated = (POINT_SETS[name].sample(N, rng) for _ in range(2))
        centres, std = shape_of(name)
        points = np.concatenate([data, generated + std])
        optimal = optimal_probabilities(points, centres, std, generated + std)
        found = distance_to_optimal(optimal[:N], optimal[N:], data, generated + std, centres, std)
        assert found == pytest.approx(0, abs=1e-9)


def test_data_and_samples_weigh_the_same():
    """All data are accepted by the optimum, all samples rejected; of the one D is 0.2 away, of the other 0.4."""
    data, generated = np.zeros((30, 1)), np.full((10, 1), 50.0)
    found = distance_to_optimal(np.full(30, 0.8), np.full(10, 0.4), data, generated, np.zeros((1, 1)), 1.0)
    assert found == pytest.approx(0.3)


def test_it_takes_a_tenth_of_a_second(rng):
    centres, std = shape_of("swiss_roll")
    data, generated = (POINT_SETS["swiss_roll"].sample(N, rng) for _ in range(2))
    durations = []
    for _ in range(5):
        start = time.thread_time()
        distance_to_optimal(BLANK, BLANK, data, generated, centres, std)
        durations.append(time.thread_time() - start)
    assert min(durations) < 0.3  # and three on a slow machine


@pytest.mark.parametrize(
    ("at_data", "data", "message"),
    [
        (np.zeros(3), np.zeros(3), "must be"),
        (np.zeros(3), np.zeros((3, 2)), "must be"),
        (np.zeros(4), np.zeros((3, 1)), "not one probability for each"),
        (np.zeros((3, 1)), np.zeros((3, 1)), "not one probability for each"),
        (np.full(3, np.nan), np.zeros((3, 1)), "NaN"),
        (np.zeros(3), np.full((3, 1), np.inf), "infinity"),
    ],
)
def test_refuses_what_does_not_fit(at_data, data, message):
    with pytest.raises(ValueError, match=message):
        distance_to_optimal(at_data, np.zeros(5), data, np.zeros((5, 1)), np.zeros((1, 1)), 1.0)
