"""Levels to floats and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from trainables.data.dataset import Dataset, Split
from trainables.data.tensors import to_tensor, to_uint8

LEVELS = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)


def test_levels_become_minus_one_to_one():
    tensor = to_tensor(LEVELS)
    assert tensor.dtype == torch.float32
    torch.testing.assert_close(tensor.flatten(), torch.linspace(-1, 1, 256))
    assert (tensor.min(), tensor.max()) == (-1, 1)


def test_every_level_survives_the_round_trip():
    np.testing.assert_array_equal(to_uint8(to_tensor(LEVELS)), LEVELS)


def test_values_outside_the_range_are_clamped():
    assert to_uint8(torch.tensor([-7.0, -1.001, 1.001, 7.0])).tolist() == [0, 0, 255, 255]


@pytest.mark.filterwarnings("error")
def test_read_only_images_become_tensors_of_their_own():
    images = LEVELS.copy()
    images.flags.writeable = False
    to_tensor(images).zero_()
    np.testing.assert_array_equal(images, LEVELS)


def test_shape_is_that_of_one_image():
    split = Split(np.zeros((5, 3, 7, 9), np.uint8))
    assert Dataset("x", split, split, None).shape == (3, 7, 9)
    assert len(split) == 5
