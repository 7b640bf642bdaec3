from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import convolve
from skimage.restoration import denoise_tv_chambolle, wiener

from trainables.classical.admm import FORWARD, admm_tv, transfer_function
from trainables.data.degradations import GaussianBlur

IDENTITY = np.array([[1.0]])


@pytest.fixture
def image():
    """A bright square with noise, on black, so that both borders say the same."""
    rng = np.random.default_rng(0)
    square = np.zeros((24, 20))
    square[8:16, 6:14] = 1.0
    return square + 0.1 * rng.standard_normal(square.shape)


def variation(x):
    dy, dx = np.roll(x, -1, 0) - x, np.roll(x, -1, 1) - x
    return np.sqrt(dy**2 + dx**2).sum()


def objective(x, y, kernel, weight):
    return 0.5 * np.square(convolve(x, kernel, mode="wrap") - y).sum() + weight * variation(x)


def test_the_transfer_function_is_that_of_a_circular_convolution(image):
    kernel = np.arange(15.0).reshape(3, 5)
    product = np.fft.irfft2(transfer_function(kernel, *image.shape) * np.fft.rfft2(image), s=image.shape)
    np.testing.assert_allclose(product, convolve(image, kernel, mode="wrap"), atol=1e-9)
    forward = convolve(image, FORWARD, mode="wrap")
    np.testing.assert_allclose(forward, np.roll(image, -1, 1) - image, atol=1e-12)


def test_without_a_blur_it_is_total_variation_denoising(image):
    """Chambolle's border is not circular, so the frame is left out."""
    ours = admm_tv(image, IDENTITY, 0.1, penalty=1.0, iterations=500)
    theirs = denoise_tv_chambolle(image, weight=0.1, eps=1e-12, max_num_iter=5000)
    np.testing.assert_allclose(ours[3:-3, 3:-3], theirs[3:-3, 3:-3], atol=1e-2)


@pytest.mark.parametrize("weight", [1e-3, 1e-1])
def test_it_minimises_its_objective(image, weight):
    kernel = GaussianBlur(1.0, 5).kernel().numpy()
    blurred = convolve(image, kernel, mode="wrap")
    found = admm_tv(blurred, kernel, weight, penalty=1.0, iterations=2000)
    least = objective(found, blurred, kernel, weight)
    assert least < objective(blurred, blurred, kernel, weight)
    rng = np.random.default_rng(1)
    for size in (1e-2, 1e-1):
        for _ in range(5):
            other = found + size * rng.standard_normal(image.shape)
            assert objective(other, blurred, kernel, weight) > least


def test_without_a_weight_it_is_the_inverse_filter(image):
    kernel = GaussianBlur(0.5, 3).kernel().numpy()
    blurred = convolve(image, kernel, mode="wrap")
    np.testing.assert_allclose(admm_tv(blurred, kernel, 0.0, iterations=300), image, atol=1e-6)


def test_images_are_restored_apart(image):
    kernel = GaussianBlur().kernel().numpy()
    both = admm_tv(np.stack([image, image[::-1]]), kernel, 1e-3)
    np.testing.assert_allclose(both[0], admm_tv(image, kernel, 1e-3), atol=1e-12)


def test_scikit_images_wiener_filter_is_the_closed_form(image):
    """So the same border rule holds for it as for our blur."""
    kernel = GaussianBlur().kernel().numpy()
    laplacian = np.array([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]])
    k, d = (transfer_function(part, *image.shape) for part in (kernel, laplacian))
    expected = np.fft.irfft2(k.conj() * np.fft.rfft2(image) / (np.abs(k) ** 2 + 1e-2 * np.abs(d) ** 2), s=image.shape)
    np.testing.assert_allclose(wiener(image, kernel, 1e-2, clip=False), expected, atol=1e-6)
