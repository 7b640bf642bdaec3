from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import make_swiss_roll

from trainables.data.cache import open_dataset, prepare
from trainables.data.points import POINT_SETS
from trainables.data.sources import SOURCES
from trainables.data.tensors import to_tensor

SIZES = {"spiral": 400, "swiss_roll": 10_000, "eight_gaussians": 10_000, "line_3_0.2": 10_000}


@pytest.mark.parametrize("name", POINT_SETS)
def test_splits_are_the_same_every_time_and_differ_from_each_other(name, tmp_path):
    train, test = SOURCES[name].load(tmp_path)
    again, _ = SOURCES[name].load(tmp_path)
    assert train.examples.tobytes() == again.examples.tobytes()
    assert train.examples.dtype == test.examples.dtype == np.float32
    assert train.examples.shape[1:] == test.examples.shape[1:] == SOURCES[name].shape
    assert len(train) == SIZES.get(name, 10_000)
    assert np.isin(train.examples[:, 0], test.examples[:, 0]).mean() < 0.02  # float32 has few numbers on a short line


def test_they_are_cached_like_images_and_reach_a_trial_unchanged(tmp_path):
    prepare("spiral", tmp_path)
    dataset = open_dataset("spiral", tmp_path)
    assert dataset.shape == (2,)
    assert dataset.num_classes is None
    assert torch.equal(to_tensor(dataset.train.examples), torch.tensor(np.array(dataset.train.examples)))


def test_the_swiss_roll_is_that_of_scikit_learn_centred():
    """Compared by moments and quantiles: both draw 10,000 points, in another order."""
    ours = POINT_SETS["swiss_roll"].splits()[0].examples
    theirs = make_swiss_roll(200_000, noise=0.2, random_state=0)[0][:, [0, 2]]
    theirs = theirs - theirs.mean(axis=0)
    assert np.abs(ours.mean(axis=0)).max() < 0.25
    assert np.allclose(np.cov(ours.T), np.cov(theirs.T), atol=1.5)
    at = np.linspace(0.05, 0.95, 10)
    assert np.allclose(np.quantile(ours, at, axis=0), np.quantile(theirs, at, axis=0), atol=0.6)


def test_the_rolls_noise_is_the_distance_to_its_curve():
    roll = POINT_SETS["swiss_roll"]
    points = roll.splits()[0].examples[:500]
    nearest = np.linalg.norm(points[:, None] - roll.curve()[None], axis=2).min(axis=1)
    # The part of the noise that is normal to the curve has the mean modulus 0.2 sqrt(2 / pi).
    assert nearest.mean() == pytest.approx(0.2 * np.sqrt(2 / np.pi), rel=0.1)


def test_the_spiral_lies_in_the_square_of_the_thesis():
    points = POINT_SETS["spiral"].splits()[0].examples
    assert np.abs(points).max() <= 1
    assert np.abs(points).max() > 0.85


def test_eight_gaussians_are_on_a_circle_around_the_origin():
    points = POINT_SETS["eight_gaussians"].splits()[0].examples
    angles = np.arctan2(points[:, 1], points[:, 0])
    radii = np.linalg.norm(points, axis=1)
    assert radii.mean() == pytest.approx(2, abs=0.01)
    assert radii.std() == pytest.approx(0.02, rel=0.1)
    by_mode = np.bincount(np.round(angles / (np.pi / 4)).astype(int) % 8)
    assert by_mode.min() > 1100
    assert len(by_mode) == 8


@pytest.mark.parametrize(("name", "mean", "std"), [("line_-2_0.5", -2, 0.5), ("line_3_0.2", 3, 0.2)])
def test_a_line_is_a_normal_distribution(name, mean, std):
    points = POINT_SETS[name].splits()[1].examples
    assert points.mean() == pytest.approx(mean, abs=4 * std / 100)
    assert points.std() == pytest.approx(std, rel=0.03)
