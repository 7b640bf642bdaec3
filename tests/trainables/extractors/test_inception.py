from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_fid import inception as pytorch_fid_inception
from pytorch_fid.fid_score import calculate_activation_statistics
from torch.nn import functional as F

from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.extractors.base import in_batches
from trainables.extractors.inception import WEIGHTS_NAME, load_inception, prepare_inception
from trainables.files import sha256_of

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def extractor(inception_cache, inception_weights):
    return load_inception(inception_weights[1], inception_cache, CPU)


def some_images(n, channels=3, size=32, seed=0, bright=256):
    return np.random.default_rng(seed).integers(0, bright, (n, channels, size, size), dtype=np.uint8)


@pytest.fixture(scope="module")
def oracle(inception_weights):
    state = torch.load(inception_weights[0], weights_only=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pytorch_fid_inception, "load_state_dict_from_url", lambda *args, **kwargs: state)
        return pytorch_fid_inception.InceptionV3([3]).eval(), state


@pytest.mark.parametrize("channels", [1, 3])
def test_features_are_those_of_pytorch_fid(extractor, oracle, channels):
    images = some_images(3, channels)
    features, probabilities = extractor(to_tensor(images))
    network, state = oracle
    with torch.no_grad():
        expected = network(torch.from_numpy(images).expand(-1, 3, -1, -1) / 255)[0].flatten(1)
    assert features.dtype == probabilities.dtype == np.float64
    assert features.std() > 0.01
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5 * float(expected.max()))
    without_bias = F.linear(expected, state["fc.weight"]).double().softmax(dim=1)
    np.testing.assert_allclose(probabilities, without_bias, rtol=1e-3)
    assert probabilities.shape == (3, 1008)


def test_floats_count_as_the_8_bits_that_a_file_would_have(extractor):
    images = to_tensor(some_images(2))
    shifted = (images + 0.3 / 127.5).clamp(-1, 1)
    np.testing.assert_array_equal(extractor(shifted)[0], extractor(images)[0])


def test_means_and_covariances_are_those_of_pytorch_fid_on_the_same_files(extractor, oracle, tmp_path):
    images = some_images(4)
    files = [tmp_path / f"{i:02d}.png" for i in range(len(images))]
    for file, image in zip(files, images, strict=True):
        Image.fromarray(image.transpose(1, 2, 0)).save(file)
    mean, covariance = calculate_activation_statistics(files, oracle[0], device="cpu", num_workers=0)
    features, _ = extractor(to_tensor(images))
    np.testing.assert_allclose(features.mean(axis=0), mean, rtol=1e-4, atol=1e-5 * mean.max())
    np.testing.assert_allclose(np.cov(features, rowvar=False), covariance, atol=1e-4 * covariance.max())


def test_another_checksum_is_refused_unless_it_is_given(inception_weights, tmp_path):
    path, sha256 = inception_weights
    with pytest.raises(InputError, match=f"{path} has the checksum {sha256}, not 6726825d.*--inception-sha256"):
        prepare_inception(tmp_path, path)
    assert prepare_inception(tmp_path, path, sha256.upper()).sha256 == sha256


def test_what_is_in_the_cache_needs_no_file(inception_weights, inception_cache):
    sha256 = inception_weights[1]
    assert prepare_inception(inception_cache, None, sha256).sha256 == sha256


def test_damaged_weights_are_refused_by_trials_and_replaced_by_the_driver(inception_weights, tmp_path):
    _, sha256 = inception_weights
    prepare_inception(tmp_path, *inception_weights)
    kept = tmp_path / "inception" / sha256[:16] / "weights.pth"
    with kept.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(InputError, match="damaged"):
        load_inception(sha256, tmp_path, CPU)
    with pytest.warns(UserWarning, match="is damaged: copying Inception's weights there again"):
        assert prepare_inception(tmp_path, *inception_weights).sha256 == sha256


def test_the_weights_in_torch_hubs_cache_are_found_and_checked(inception_weights, tmp_path, monkeypatch):
    path, sha256 = inception_weights
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    (tmp_path / "hub/checkpoints" / WEIGHTS_NAME).symlink_to(path)
    assert prepare_inception(tmp_path / "cache", None, sha256).sha256 == sha256
    with pytest.raises(InputError, match="has the checksum"):
        prepare_inception(tmp_path / "cache")


def test_offline_one_sentence_says_where_to_put_the_file(tmp_path, monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", unreachable)
    with pytest.raises(InputError) as caught:
        prepare_inception(tmp_path / "cache")
    message = str(caught.value)
    assert "no route to host" in message
    assert f"at {tmp_path / 'hub/checkpoints' / WEIGHTS_NAME}" in message
    assert "\n" not in message


def test_files_that_hold_no_such_weights_are_refused(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        prepare_inception(tmp_path, tmp_path / "nowhere.pth")
    for name, content in (("text.pth", None), ("other.pth", {"fc.weight": torch.zeros(2)})):
        path = tmp_path / name
        path.write_text("hello") if content is None else torch.save(content, path)
        with pytest.raises(InputError, match="holds no weights of pytorch-fid's Inception"):
            prepare_inception(tmp_path / "cache", path, sha256_of(path))


def test_a_trial_says_what_is_missing(tmp_path):
    with pytest.raises(InputError, match=r"absent or damaged .* prepare them on the driver"):
        load_inception("ab" * 32, tmp_path, CPU)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 2, 8, 8), "1 or 3, H, W"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "floating-point"),
        (torch.full((2, 3, 8, 8), torch.nan), r"\[-1, 1\]"),
        (torch.full((2, 3, 8, 8), 255.0), r"\[-1, 1\]"),
        (torch.zeros(0, 3, 8, 8), "at least one image"),
    ],
)
def test_other_images_are_refused(extractor, images, message):
    with pytest.raises(ValueError, match=message):
        extractor(images)


def test_batches_shrink_until_they_fit():
    sizes = []

    def extract(batch):
        if len(batch) > 30:
            raise torch.OutOfMemoryError
        sizes.append(len(batch))
        return batch.flatten(1).numpy(), batch.flatten(1).numpy()

    images = torch.rand(100, 1, 2, 2)
    features, _ = in_batches(extract, images, torch.device("cuda"), on_cpu=7)
    assert sizes == [25, 25, 25, 25]
    np.testing.assert_array_equal(features, images.flatten(1))
    in_batches(extract, images, CPU, on_cpu=7)
    assert set(sizes[4:]) == {7, 2}


def test_batches_on_a_gpu_are_no_larger_than_they_need_be():
    sizes = []

    def extract(batch):
        sizes.append(len(batch))
        return batch.numpy(), batch.numpy()

    in_batches(extract, torch.zeros(1200, 1), torch.device("cuda"), on_cpu=7)
    assert sizes == [500, 500, 200]
