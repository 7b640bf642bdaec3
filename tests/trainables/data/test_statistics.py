from __future__ import annotations

import numpy as np
import pytest
import torch

from trainables.data import statistics
from trainables.data.statistics import pixel_statistics
from trainables.data.tensors import to_tensor


@pytest.mark.parametrize("chunk", [7, 4096])
def test_images_have_the_statistics_of_their_floats(monkeypatch, chunk):
    monkeypatch.setattr(statistics, "CHUNK", chunk)
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 4, 5), dtype=np.uint8)
    images[:, 0, 0, 0] = 255  # a pixel without variance
    variance, mean = torch.var_mean(to_tensor(images).double(), dim=0, correction=0)
    found = pixel_statistics(images)
    torch.testing.assert_close(found[0], mean.float())
    torch.testing.assert_close(found[1], variance.float(), atol=1e-6, rtol=1e-5)
    assert found[1][0, 0, 0] == 0


def test_points_stay_what_they_are():
    points = np.random.default_rng(0).normal(3.0, 2.0, (1000, 2)).astype(np.float32)
    mean, variance = pixel_statistics(points)
    np.testing.assert_allclose(mean, points.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(variance, points.var(axis=0), rtol=1e-5)
