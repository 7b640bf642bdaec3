from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from trainables.data.tensors import to_tensor
from trainables.measures import nearest
from trainables.measures.nearest import distances_to_training, nearest_training_images


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("held", [1, 1000, 10**9])
def test_distances_are_euclidean_over_the_pixels(rng, held, monkeypatch):
    monkeypatch.setattr(nearest, "PIXELS_HELD", held)
    train = rng.integers(0, 256, (90, 2, 5, 4), dtype=np.uint8)
    images = torch.from_numpy(rng.uniform(-1, 1, (30, 2, 5, 4))).float()
    expected = cdist(images.flatten(1).double(), to_tensor(train).flatten(1).double())
    distances, indices = nearest_training_images(images, train)
    np.testing.assert_allclose(distances, expected.min(axis=1), rtol=1e-9)
    np.testing.assert_array_equal(indices, expected.argmin(axis=1))
    np.testing.assert_array_equal(distances_to_training(images, train), distances)


def test_a_copy_is_found_at_distance_zero(rng):
    train = rng.integers(0, 256, (90, 1, 8, 8), dtype=np.uint8)
    distances, indices = nearest_training_images(to_tensor(train[[70, 3]]), train)
    np.testing.assert_allclose(distances, 0, atol=1e-5)
    assert indices.tolist() == [70, 3]


def test_training_images_may_be_memory_mapped_and_are_left_alone(rng, tmp_path):
    np.save(tmp_path / "train.npy", rng.integers(0, 256, (20, 1, 4, 4), dtype=np.uint8))
    train = np.load(tmp_path / "train.npy", mmap_mode="r")
    _, indices = nearest_training_images(to_tensor(np.array(train)), train)
    assert indices.tolist() == list(range(20))
