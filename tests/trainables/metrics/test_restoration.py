from __future__ import annotations

import math

import pytest
import torch

from trainables.metrics.restoration import PERFECT, psnr, psnr_per_image, psnr_pooled, sharpness, ssim


@pytest.fixture
def originals():
    return torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_psnr_is_the_formula(originals):
    restored = originals + torch.tensor([0.1, 0.2, 0.4]).view(3, 1, 1, 1)
    expected = [10 * math.log10(2**2 / error**2) for error in (0.1, 0.2, 0.4)]
    assert psnr(restored, originals) == pytest.approx(sum(expected) / 3, rel=1e-5)


def test_equal_images_are_perfect(originals):
    assert psnr(originals, originals) == PERFECT
    assert psnr(originals + 1e-9, originals) == PERFECT
    assert ssim(originals, originals) == pytest.approx(1.0)


def test_ssim_falls_with_noise_and_sees_structure(originals):
    noise = torch.randn(originals.shape, generator=torch.Generator().manual_seed(1))
    values = [ssim(originals + level * noise, originals) for level in (0.1, 0.5, 2.0)]
    assert 1 > values[0] > values[1] > values[2] > -1
    assert ssim(-originals, originals) < 0


def test_the_pooled_ratio_is_of_the_mean_squared_error(originals):
    errors = torch.tensor([0.1, 0.2, 0.4]).view(3, 1, 1, 1)
    assert psnr_pooled(originals + errors, originals) == pytest.approx(10 * math.log10(4 / errors.square().mean()))
    assert psnr_per_image(originals + errors, originals)[2] == pytest.approx(10 * math.log10(4 / 0.16), rel=1e-5)


def test_sharpness_is_the_share_of_the_edges_that_is_left(originals):
    assert sharpness(originals, originals) == pytest.approx(1.0)
    assert sharpness(originals / 2 + 0.3, originals) == pytest.approx(0.5)
    assert sharpness(torch.nn.functional.avg_pool2d(originals, 3, 1, 1), originals) < 0.5


@pytest.mark.parametrize("metric", [psnr, psnr_pooled, ssim])
def test_refuses_shapes_that_differ(metric, originals):
    with pytest.raises(ValueError, match=r"must be \(n, C, H, W\)"):
        metric(originals[:2], originals)
