"""Every loss against its formula written out, and its gradient against finite differences, in float64."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from trainables import pixel_losses

MEAN, VARIANCE = 0.3, 1.7


@pytest.fixture
def images():
    return torch.randn(5, 2, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def statistics(images, weight, gradient):
    mean, variance = (torch.full((2, 4, 3), v, dtype=torch.float64) for v in (MEAN, VARIANCE))
    return pixel_losses.dataset_statistics(images, mean, variance, weight, gradient)


def value(loss, images, weight=1.0):
    return loss(images, weight, torch.zeros_like(images)).item()


def test_total_variation_is_equation_3_2(images):
    x = images.numpy()
    b, c, h, w = x.shape
    total = 0.0
    for image in x:
        for channel in image:
            total += sum((channel[j, i + 1] - channel[j, i]) ** 2 for j in range(h) for i in range(w - 1))
            total += sum((channel[j + 1, i] - channel[j, i]) ** 2 for j in range(h - 1) for i in range(w))
    assert value(pixel_losses.total_variation, images) == pytest.approx(total / (c * h * w * b), rel=1e-12)


def test_dataset_statistics_is_equation_3_4(images):
    x = images.numpy()
    expected = ((MEAN - x.mean(0)) ** 2).sum() + ((VARIANCE - x.var(0)) ** 2).sum()
    assert value(statistics, images) == pytest.approx(expected, rel=1e-12)


def test_dataset_statistics_of_the_data_set_itself_is_zero(images):
    variance, mean = torch.var_mean(images, dim=0, correction=0)
    gradient = torch.zeros_like(images)
    loss = pixel_losses.dataset_statistics(images, mean, variance, 1.0, gradient)
    assert loss.item() == pytest.approx(0.0, abs=1e-28)
    assert gradient.abs().max().item() == pytest.approx(0.0, abs=1e-14)


@pytest.mark.parametrize("loss", [pixel_losses.total_variation, statistics])
def test_the_weighted_gradient_is_added(loss, images):
    before = torch.randn_like(images)
    gradient = before.clone()
    loss(images, 0.7, gradient)
    step = 1e-6
    expected = np.empty(images.numel())
    for pixel in range(images.numel()):
        offset = torch.zeros(images.numel(), dtype=torch.float64)
        offset[pixel] = step
        above, below = (value(loss, images + sign * offset.view_as(images)) for sign in (1, -1))
        expected[pixel] = 0.7 * (above - below) / (2 * step)
    assert np.allclose((gradient - before).flatten().numpy(), expected, atol=1e-8)


@pytest.mark.parametrize("loss", [pixel_losses.total_variation, statistics])
def test_the_loss_is_weighted_and_the_images_are_left_alone(loss, images):
    before = images.clone()
    unweighted = partial(value, loss, images)
    assert unweighted(2.5) == pytest.approx(2.5 * unweighted(), rel=1e-12)
    assert torch.equal(images, before)
