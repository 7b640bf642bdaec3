from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import energy_distance as scipy_energy_distance

from trainables.metrics.points import (
    distance_to_curve,
    energy_distance,
    mean_distance,
    mode_coverage,
    movement,
    undecided_share,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_on_the_line_the_energy_distance_is_scipys(rng):
    x, y = rng.normal(0, 1, 700), rng.normal(0.5, 2, 600)
    assert energy_distance(x[:, None], y[:, None]) == pytest.approx(scipy_energy_distance(x, y), rel=1e-9)


def test_on_the_plane_it_is_the_formula(rng):
    x, y = rng.normal(0, 1, (513, 2)), rng.normal(0.5, 2, (77, 2))
    squared = 2 * cdist(x, y).mean() - cdist(x, x).mean() - cdist(y, y).mean()
    assert energy_distance(x, y) == pytest.approx(np.sqrt(squared), rel=1e-9)
    assert energy_distance(x, y, mean_distance(y, y)) == pytest.approx(np.sqrt(squared), rel=1e-9)


def test_float32_points_far_from_the_origin_lose_nothing(rng):
    x, y = rng.normal(0, 1, (600, 2)), rng.normal(0.3, 1, (600, 2))
    far = energy_distance((x + 100).astype(np.float32), (y + 100).astype(np.float32))
    assert far == pytest.approx(energy_distance(x, y), rel=1e-3)


def test_a_set_is_at_distance_zero_from_itself(rng):
    x = rng.normal(size=(100, 2))
    assert energy_distance(x, x[::-1]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "points", [np.array([[np.nan, 0.0]]), np.array([[np.inf, 0.0]]), np.zeros((3, 1)), np.zeros(3)]
)
def test_points_that_cannot_be_compared_are_refused(points):
    with pytest.raises(ValueError, match="points"):
        energy_distance(points, np.zeros((5, 2)))


def test_a_mode_is_covered_by_a_tenth_of_its_share():
    """Of 100 points and two modes, one mode needs 5."""
    centres = np.array([[0.0, 0.0], [10.0, 0.0]])
    for near_second, covered in ((4, 1), (5, 2)):
        points = np.repeat([[0.2, 0.2], [10.0, 0.25], [5.0, 0.0]], [80, near_second, 20 - near_second], axis=0)
        assert mode_coverage(points, centres, 0.1) == (covered, pytest.approx(0.8 + near_second / 100))


def test_one_stray_point_of_a_few_does_not_cover_a_mode_beyond_three_sigma():
    assert mode_coverage(np.array([[0.31]]), np.array([[0.0]]), 0.1) == (0, 0.0)
    assert mode_coverage(np.array([[0.29]]), np.array([[0.0]]), 0.1) == (1, 1.0)


def test_a_normal_distribution_is_inside_as_the_normal_law_says(rng):
    points = rng.normal(2, 0.5, (100_000, 2))
    modes, inside = mode_coverage(points, np.array([[2.0, 2.0]]), 0.5)
    assert modes == 1
    assert inside == pytest.approx(1 - np.exp(-4.5), abs=2e-3)


def test_the_distance_to_a_circle_is_the_difference_of_the_radii(rng):
    angles = np.linspace(0, 2 * np.pi, 2000)
    circle = 3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = rng.normal(0, 2, (1100, 2))
    expected = np.abs(np.linalg.norm(points, axis=1) - 3).mean()
    assert distance_to_curve(points, circle) == pytest.approx(expected, rel=1e-4)


def test_undecided_is_within_a_tenth_of_one_half():
    assert undecided_share(np.array([0.0, 0.39, 0.41, 0.5, 0.59, 0.61, 1.0, 0.45])) == 0.5


def test_movement_is_the_mean_way_of_a_sample_in_units(rng):
    before = rng.normal(size=(300, 2)).astype(np.float32)
    assert movement(before, before, 2.0) == 0.0
    assert movement(before, before + np.array([3.0, 4.0]), 2.0) == pytest.approx(2.5, rel=1e-6)
    turned = before + np.where(np.arange(300)[:, None] < 100, [0.6, 0.0], [0.0, -0.3])
    assert movement(before, turned, 1.0) == pytest.approx(0.4, rel=1e-6)


def test_movement_of_points_that_are_drawn_anew_is_their_mean_distance(rng):
    """Two independent draws of a normal distribution on the plane are sqrt(pi) deviations apart."""
    before, after = rng.normal(1, 3, (2, 20_000, 2))
    assert movement(before, after, 3.0) == pytest.approx(np.sqrt(np.pi), rel=0.02)


def test_movement_of_images_counts_all_pixels():
    before = np.zeros((5, 1, 4, 4), dtype=np.float32)
    assert movement(before, before + 0.5, 1.0) == 2.0


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (np.zeros((3, 2)), np.zeros((4, 2)), "same latents"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "same latents"),
        (np.zeros((3, 2)), np.full((3, 2), np.nan), "NaN"),
        (np.full((3, 2), np.inf), np.zeros((3, 2)), "NaN or infinity"),
    ],
)
def test_movement_of_what_cannot_be_compared_is_refused(before, after, message):
    with pytest.raises(ValueError, match=message):
        movement(before, after, 1.0)
