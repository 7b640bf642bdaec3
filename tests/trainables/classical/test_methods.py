from __future__ import annotations

import numpy as np
import pytest
import torch

from trainables.classical.methods import classical_methods
from trainables.data.cache import prepare
from trainables.data.degradations import TASKS
from trainables.data.tensors import to_tensor
from trainables.measures.classical_restorations import choose_parameters, classical_restorations
from trainables.metrics.restoration import psnr, ssim

# Measured with other code (scikit-image by hand, PSNR and SSIM of the first 100 test images): the mean PSNR in dB.
ANCHORS = [
    ("photo_patches", "x2", "nearest", 36.96),
    ("photo_patches", "x2", "bicubic", 38.25),
    ("mnist5k", "x2", "bicubic", 20.78),
    ("mnist5k", "x4", "bicubic", 14.51),
    ("mnist5k", "noise0.1", "median", 22.29),
    ("mnist5k", "noise0.1", "nonlocal_means", 27.96),
    ("mnist5k", "blur", "admm_tv", 26.84),
]
CHOSEN = {"nonlocal_means": 1.0, "admm_tv": 1e-4}


@pytest.mark.parametrize(("dataset", "task", "method", "expected"), ANCHORS)
def test_the_mean_psnr_is_the_measured_one(dataset, task, method, expected, cache_dir):
    data = prepare(dataset, cache_dir)
    originals = to_tensor(data.test.examples[:100])
    degraded = TASKS[task](originals, torch.Generator().manual_seed(0))
    training = data.train.examples[:2] / 255.0
    restore = classical_methods(TASKS[task], training)[method].restore
    restored = np.stack([restore(image, CHOSEN.get(method, 0.0)) for image in degraded.double().add(1).div(2).numpy()])
    assert psnr(torch.from_numpy(restored).mul(2).sub(1).clamp(-1, 1), originals) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("task", sorted(TASKS))
@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 16, 16)])
def test_every_method_makes_images_of_the_originals_shape(task, shape):
    rng = np.random.default_rng(0)
    training = rng.random((3, *shape))
    degraded = TASKS[task](torch.from_numpy(training), torch.Generator())
    for name, method in classical_methods(TASKS[task], training).items():
        restored = method.restore(degraded[0].numpy(), method.parameters[0])
        assert restored.shape == shape, name
        assert np.isfinite(restored).all(), name


def test_a_hole_is_filled_from_the_image_that_is_nearest_around_it():
    rng = np.random.default_rng(0)
    training = rng.random((5, 1, 12, 12))
    degraded = TASKS["hole"].operator(torch.from_numpy(training[3:4] + 1e-3)).numpy()[0]
    filled = classical_methods(TASKS["hole"], training)["nearest_image"].restore(degraded, 0.0)
    np.testing.assert_allclose(filled[:, 2:10, 2:10], training[3, :, 2:10, 2:10])
    np.testing.assert_allclose(filled[:, :2], degraded[:, :2])


def test_few_bright_pixels_are_found_from_fewer_measurements_than_pixels():
    image = np.zeros((1, 16, 16))
    image[0, [2, 5, 9], [3, 11, 7]] = 1.0, 0.5, 0.8
    measured = TASKS["measured100"].operator(torch.from_numpy(image * 2 - 1)[None])[0].add(1).div(2).numpy()
    found = classical_methods(TASKS["measured100"], np.zeros((1, 1, 16, 16)))["lasso"].restore(measured, 1e-5)
    np.testing.assert_allclose(found, image, atol=0.01)


def test_a_whole_image_is_compared_with_the_mean_and_with_the_nearest_one():
    training = np.random.default_rng(0).random((5, 1, 8, 8))
    methods = classical_methods(TASKS["projection"], training)
    np.testing.assert_allclose(methods["mean_image"].restore(training[2], 0.0), training.mean(0))
    np.testing.assert_allclose(methods["nearest_image"].restore(training[2] + 1e-3, 0.0), training[2])


def test_parameters_are_chosen_on_training_images_and_restorations_are_kept(cache_dir, tmp_path):
    data = prepare("digits", cache_dir)
    parameters = choose_parameters("noise0.1", data, seed=0)
    assert set(parameters) == {"degraded", "median", "total_variation", "nonlocal_means"}
    assert parameters["total_variation"] in (0.03, 0.05, 0.1)
    originals = to_tensor(data.test.examples[:20])
    degraded = TASKS["noise0.1"](originals, torch.Generator())
    made = classical_restorations("noise0.1", parameters, degraded, data, tmp_path)
    torch.testing.assert_close(made["degraded"], degraded.clamp(-1, 1))
    file = next(tmp_path.glob("classical/*/median.npy"))
    time = file.stat().st_mtime_ns
    again = classical_restorations("noise0.1", parameters, degraded, data, tmp_path)
    assert file.stat().st_mtime_ns == time
    assert all(torch.equal(made[name], again[name]) for name in made)
    assert ssim(made["nonlocal_means"], originals) > ssim(made["degraded"], originals)
