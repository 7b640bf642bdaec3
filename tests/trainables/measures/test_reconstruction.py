from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.decomposition import PCA

from trainables.data.cache import prepare
from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.evaluator import Evaluator
from trainables.measures.settings import ReconstructionSettings
from trainables.preparation import prepare_protocol
from trainables.protocol import Protocol
from trainables.testing import MeasureContract

CPU = torch.device("cpu")


class TestReconstruction(MeasureContract):
    settings = ReconstructionSettings(num_images=40, components=5)


class Copies:
    """Reconstructs images as `change` says."""

    def __init__(self, change):
        self.reconstruct = change


@pytest.fixture(scope="module")
def evaluator(cache_dir):
    settings = ReconstructionSettings(num_images=200, components=8)
    protocol = prepare_protocol(Protocol(dataset="digits", measures=(settings,)), cache_dir).protocol
    return Evaluator(protocol, cache_dir, CPU)


def metrics(evaluator, change):
    return evaluator(Copies(change), seed=0).metrics


def test_a_copy_is_perfect(evaluator):
    assert metrics(evaluator, lambda x: x.clone()) == {
        "reconstruction_mse": 0.0,
        "reconstruction_ssim": pytest.approx(1.0),
        "reconstruction_agreement": 1.0,
    }


def test_the_error_is_of_pixels_between_0_and_1(evaluator):
    found = metrics(evaluator, lambda x: 0.8 * x)  # gray, 0.5, stays, and all else comes nearer to it
    pixels = (evaluator.measures[0].images.double().numpy() + 1) / 2
    assert found["reconstruction_mse"] == pytest.approx((0.2 * (pixels - 0.5) ** 2 * 0.2).mean(), rel=1e-4)
    assert found["reconstruction_ssim"] < 1


def test_mirrored_images_are_of_other_classes(evaluator):
    assert metrics(evaluator, lambda x: x.flip(3))["reconstruction_agreement"] < 0.8


def test_the_references_are_the_mean_a_pca_and_other_images(evaluator, cache_dir):
    found = evaluator.references()
    dataset = prepare("digits", cache_dir)
    training = to_tensor(dataset.train.examples).flatten(1).double().numpy() / 2
    test = evaluator.measures[0].images.flatten(1).double().numpy() / 2
    centred = test - training.mean(0)
    assert found["reconstruction_mse_mean_image"] == pytest.approx((centred**2).mean(), rel=1e-4)
    axes = PCA(8, svd_solver="full").fit(training).components_
    rest = centred - centred @ axes.T @ axes
    assert found["reconstruction_mse_pca"] == pytest.approx((rest**2).mean(), rel=0.05)  # pixels are clamped
    assert found["reconstruction_mse_pca"] < found["reconstruction_mse_mean_image"]
    assert found["reconstruction_mse_mean_image"] < found["reconstruction_mse_another_image"]
    assert found["reconstruction_agreement_pca"] > 0.8
    assert found["reconstruction_agreement_another_image"] < 0.2


def test_a_pca_of_more_components_than_pixels_is_refused(cache_dir):
    settings = ReconstructionSettings(num_images=20, components=65)
    with pytest.raises(InputError, match="has 65 components, and data set 'digits' allows 64"):
        prepare_protocol(Protocol(dataset="digits", measures=(settings,)), cache_dir)


def test_the_picture_has_originals_above_their_reconstructions(evaluator, tmp_path):
    evaluation = evaluator(Copies(lambda x: -x), seed=0)
    evaluation.draw(tmp_path)
    picture = np.asarray(Image.open(tmp_path / "reconstructions.png")).astype(int)
    upper, lower = picture[2:34, 2:34], picture[36:68, 2:34]
    assert np.abs(upper + lower - 255).max() <= 1
