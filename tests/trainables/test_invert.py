from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from trainables.data.cache import prepare
from trainables.export import export
from trainables.invert import main
from trainables.methods.base import method_class
from trainables.testing.data import tiny_images


@pytest.fixture(scope="module")
def weights(tmp_path_factory, cache_dir):
    def make(name):
        method_type = method_class(name)
        config = method_type.Config.tiny()
        method = method_type(config, prepare("digits", cache_dir), torch.device("cpu"))
        method.train_round()
        path = tmp_path_factory.mktemp(name) / "best.safetensors"
        export(name, config.model_dump(mode="json"), "digits", method, path, 1, {}, "fid_lenet", "minimize")
        return path

    return make


@pytest.fixture(scope="module")
def gan(weights):
    return weights("gan")


@pytest.fixture
def images(tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, tiny_images().test.examples[:3])
    return path


QUICK = ("--iterations", "5", "--restarts", "2")


def test_it_writes_images_latents_and_numbers(gan, images, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--from", str(gan), "--images", str(images), "--mask", "4", "--noise", "0.1", *QUICK]
    assert main([*arguments, "--out", str(out)]) == 0
    assert "3 images" in capsys.readouterr().out
    restored, latents = np.load(out / "restored.npy"), np.load(out / "latents.npy")
    assert restored.shape == (3, 1, 8, 8)
    assert latents.shape == (3, 100)
    numbers = json.loads((out / "numbers.json").read_text())
    assert len(numbers["psnr_of_each"]) == 3
    assert numbers["psnr_restored"] == pytest.approx(np.mean(numbers["psnr_of_each"]))
    assert 0 < numbers["psnr_in_hole"] < numbers["psnr_restored"]
    assert (out / "restored.png").stat().st_size > 1000
    assert main([*arguments, "--out", str(tmp_path / "again")]) == 0
    assert (np.load(tmp_path / "again/restored.npy") == restored).all()


def test_known_pixels_are_kept(gan, images, tmp_path):
    out = tmp_path / "out"
    assert main(["--from", str(gan), "--images", str(images), "--mask", "4", *QUICK, "--out", str(out)]) == 0
    restored, given = np.load(out / "restored.npy"), np.load(images)
    inside = np.zeros((8, 8), dtype=bool)
    inside[2:6, 2:6] = True
    assert (restored[..., ~inside] == given[..., ~inside]).all()
    assert (restored[..., inside] != given[..., inside]).any()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--mask", "8"), "covers images of 8x8"),
        (("--mask", "-1"), "at least 0"),
        (("--iterations", "0"), "--iterations and --restarts at least 1"),
        (("--from", "nowhere"), "nowhere"),
        (("--images", "nothing.npy"), "nothing.npy"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(gan, images, tmp_path, capsys, options, sentence):
    given = {"--from": str(gan), "--images": str(images), "--out": str(tmp_path / "out")} | dict([options])
    assert main([part for pair in given.items() for part in pair]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert sentence in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "sentence"), [("--images", "neither images"), ("--from", "nothing has been exported")]
)
def test_an_empty_folder_is_one_sentence_and_nothing_is_written(gan, images, tmp_path, capsys, option, sentence):
    (tmp_path / "empty").mkdir()
    given = {"--from": str(gan), "--images": str(images), "--out": str(tmp_path / "out")}
    given[option] = str(tmp_path / "empty")
    assert main([part for pair in given.items() for part in pair]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert sentence in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_images_of_another_size_and_methods_without_latents_are_refused(gan, weights, images, tmp_path, capsys):
    large = tmp_path / "large.npy"
    np.save(large, np.zeros((2, 3, 16, 16), dtype=np.uint8))
    assert main(["--from", str(gan), "--images", str(large), "--out", str(tmp_path / "out")]) == 2
    assert "16x16 with 3 channels, and the generator makes 8x8 with 1 channel" in capsys.readouterr().err
    other = weights("discriminator_only")
    assert main(["--from", str(other), "--images", str(images), "--out", str(tmp_path / "out")]) == 2
    assert "without a generator" in capsys.readouterr().err
