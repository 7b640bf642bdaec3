from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.data.cache import prepare
from trainables.export import export
from trainables.interpolate import main
from trainables.methods.base import method_class


def write(path, name, dataset, settings=None, rounds=1):
    """Train a method for some rounds, and export it."""
    method_type = method_class(name)
    config = method_type.Config.tiny(**settings or {})
    method = method_type(config, dataset, torch.device("cpu"))
    for _ in range(rounds):
        method.train_round()
    export(name, config.model_dump(mode="json"), dataset.name, method, path, rounds, {}, "", "minimize")


@pytest.fixture(scope="module")
def storage(tmp_path_factory, cache_dir):
    folder = tmp_path_factory.mktemp("storage")
    (folder / "cache").symlink_to(cache_dir)
    (folder / "empty").mkdir()
    learned = {"hidden_units": 200, "latent_dim": 8, "batch_size": 100, "lr": 3e-3}
    points = {"generator": "mlp", "discriminator": "mlp"}
    for file, name, dataset, settings, rounds in (
        ("vae", "vae", "digits", learned, 300),
        ("gan", "gan", "digits", {}, 1),
        ("points", "gan", "spiral", points, 1),
        ("discriminator_only", "discriminator_only", "digits", {}, 1),
    ):
        write(folder / f"{file}.safetensors", name, prepare(dataset, cache_dir), settings, rounds)
    return folder


@pytest.fixture
def run(storage, tmp_path, capsys):
    def call(name, *arguments):
        out = tmp_path / "out"
        named = ["--from", str(storage / name), "--storage-dir", str(storage), "--out", str(out)]
        return main([*named, *arguments]), "".join(capsys.readouterr()), out

    return call


def test_an_autoencoder_walks_on_circles_and_its_arithmetic_beats_chance(run):
    status, shown, out = run("vae.safetensors", "--arithmetic", "--pairs", "3", "--steps", "5")
    assert status == 0, shown
    assert "3 spherical paths" in shown
    numbers = json.loads((out / "numbers.json").read_text())
    for space in ("pixels", "features"):
        assert numbers[space]["relative_length"] >= 1
        assert numbers[space]["largest_step"] >= 1
    assert set(numbers["fid_lenet"]) == {"samples", "linear_middles", "spherical_middles"}
    rates = numbers["arithmetic"]
    assert set(rates) == {"slant", "thickness", "class"}
    assert rates["class"]["success"] > rates["class"]["shuffled"] + 0.2
    with Image.open(out / "interpolation.png") as image:
        assert image.size == (5 * 34 + 2, 3 * 34 + 2)
    with Image.open(out / "attributes.png") as image:
        assert image.size == (9 * 34 + 2, 2 * 34 + 2)


def test_a_gan_walks_on_lines_and_the_same_seed_gives_the_same_picture(run):
    pictures = []
    for _ in range(2):
        status, shown, out = run("gan.safetensors", "--steps", "4")
        assert status == 0
        assert "8 linear paths" in shown
        assert not (out / "attributes.png").exists()
        with Image.open(out / "interpolation.png") as image:
            pictures.append(np.asarray(image))
    assert (pictures[0] == pictures[1]).all()


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("discriminator_only.safetensors", (), "without a generator of latents"),
        ("points.safetensors", (), "makes points"),
        ("empty", (), "nothing has been exported"),
        ("nowhere", (), "nowhere"),
        ("gan.safetensors", ("--steps", "2"), "--steps at least 3"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(run, name, options, sentence):
    status, shown, out = run(name, *options)
    assert status == 2
    assert shown.startswith("error: ")
    assert sentence in shown
    assert shown.count("\n") == 1
    assert not out.exists()


def test_arithmetic_needs_classes(storage, run, cache_dir, tmp_path):
    """The data set of the weights is a folder without classes."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i, image in enumerate(prepare("digits", cache_dir).train.examples[:40]):
        Image.fromarray(image[0]).save(pictures / f"{i}.png")
    write(storage / "unlabelled.safetensors", "vae", prepare(f"folder:{pictures}", cache_dir))
    status, shown, out = run("unlabelled.safetensors", "--arithmetic")
    assert status == 2
    assert "--arithmetic needs a classifier" in shown
    assert not out.exists()
