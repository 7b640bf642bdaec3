from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve
from skimage.measure import block_reduce

from trainables.data.cache import prepare
from trainables.data.degradations import TASKS, BlockMean, Degradation, GaussianBlur, Hole, RandomMeasurements, identity
from trainables.data.tasks import TASK_NAMES
from trainables.errors import InputError


def new_rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images():
    return torch.rand(3, 3, 12, 16, generator=new_rng(1), dtype=torch.float64) * 2 - 1


def test_every_name_has_a_degradation():
    assert tuple(TASKS) == TASK_NAMES


@pytest.mark.parametrize("factor", [2, 4])
def test_a_smaller_image_is_the_mean_of_blocks(images, factor):
    expected = block_reduce(images.numpy(), (1, 1, factor, factor), np.mean)
    np.testing.assert_allclose(BlockMean(factor)(images).numpy(), expected, atol=1e-12)


def test_blur_is_a_circular_convolution_that_keeps_the_mean(images):
    blur = GaussianBlur(1.5, 9)
    kernel = blur.kernel().numpy()
    assert kernel.sum() == pytest.approx(1)
    # A Gaussian: the logarithm of the ratio to the middle is -r^2 / (2 sigma^2).
    assert np.log(kernel[4, 7] / kernel[4, 4]) == pytest.approx(-(3**2) / (2 * 1.5**2))
    expected = np.stack([[convolve(channel, kernel, mode="wrap") for channel in image] for image in images.numpy()])
    np.testing.assert_allclose(blur(images).numpy(), expected, atol=1e-12)


def test_a_hole_is_in_the_middle(images):
    kept = Hole(4)(images)
    assert (kept[:, :, 4:8, 6:10] == 0).all()
    kept[:, :, 4:8, 6:10] = images[:, :, 4:8, 6:10]
    assert torch.equal(kept, images)


@pytest.mark.parametrize("operator", [BlockMean(2), GaussianBlur(), Hole(4), identity])
def test_operators_are_linear(images, operator):
    a, b = images[:1], images[1:2]
    torch.testing.assert_close(operator(2 * a - 3 * b), 2 * operator(a) - 3 * operator(b))


def test_a_blur_is_its_own_adjoint(images):
    a, b = images[0:1], images[1:2]
    blur = GaussianBlur()
    torch.testing.assert_close((blur(a) * b).sum(), (a * blur(b)).sum())


def test_noise_has_its_deviation_in_units_of_the_range_and_follows_from_the_generator():
    flat = torch.zeros(10, 1, 100, 100)
    noisy = Degradation(identity, 0.1)(flat, new_rng())
    assert noisy.std().item() / 2 == pytest.approx(0.1, rel=0.02)
    assert torch.equal(noisy, Degradation(identity, 0.1)(flat, new_rng()))
    assert not torch.equal(noisy, Degradation(identity, 0.1)(flat, new_rng(1)))


def test_measurements_keep_the_norm_on_average():
    images = torch.randn(4, 1, 8, 8, generator=new_rng())
    measure = RandomMeasurements(5000)
    matrix, measured = measure.matrix(64), measure(images)
    assert matrix.shape == (5000, 64)
    torch.testing.assert_close(measured, images.flatten(1) @ matrix.T)
    assert (measured.norm(dim=1) / images.flatten(1).norm(dim=1)).tolist() == pytest.approx([1] * 4, rel=0.05)


@pytest.mark.parametrize(
    ("task", "shape", "sentence"),
    [
        ("x4", (1, 30, 28), "multiples of 4"),
        ("hole", (1, 8, 8), "covers images of 8x8"),
        ("blur", (3, 8, 8), "larger than images of 8x8"),
    ],
)
def test_images_that_cannot_be_degraded_are_refused(task, shape, sentence):
    with pytest.raises(InputError, match=sentence):
        TASKS[task].check(shape)
    TASKS[task].check((1, 28, 28))


def test_training_and_test_patches_of_photographs_share_no_pixel(cache_dir):
    """Each patch is a cell of its photograph's grid, and no cell is in both splits."""
    from sklearn.datasets import load_sample_images

    dataset = prepare("photo_patches", cache_dir)
    cells = {}
    for name, photo in enumerate(load_sample_images().images):
        for row in range(photo.shape[0] // 32):
            for column in range(photo.shape[1] // 32):
                patch = photo[32 * row : 32 * row + 32, 32 * column : 32 * column + 32].transpose(2, 0, 1)
                cells[patch.tobytes()] = (name, row, column)
    places = [{cells[patch.tobytes()] for patch in split.examples} for split in (dataset.train, dataset.test)]
    assert not places[0] & places[1]
    assert len(places[0] | places[1]) == 520
