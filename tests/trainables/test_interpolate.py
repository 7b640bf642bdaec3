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


@pytest.fixture(scope="module")
def storage(tmp_path_factory, cache_dir):
    folder = tmp_path_factory.mktemp("storage")
    (folder / "cache").symlink_to(cache_dir)
    (folder / "empty").mkdir()
    trained = {"vae": ("digits", {"hidden_units": 200, "latent_dim": 8, "batch_size": 100, "lr": 3e-3}, 300), "gan": ("digits", {}, 1)}
    trained |= {"discriminator_only": ("digits", {}, 1), "points": ("spiral", {"generator": "mlp"}, 1)}
    for name, (dataset, settings, rounds) in trained.items():
        method_type = method_class("gan" if name == "points" else name)
        config = method_type.Config.tiny(**settings, **({"discriminator": "mlp"} if name == "points" else {}))
        method = method_type(config, prepare(dataset, cache_dir), torch.device("cpu"))
        for _ in range(rounds):
            method.train_round()
        path = folder / f"{name}.safetensors"
        kind = "gan" if name == "points" else name
        export(kind, config.model_dump(mode="json"), dataset, method, path, 1, {}, "", "minimize")
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
    dataset = f"folder:{pictures}"
    method_type = method_class("vae")
    config = method_type.Config.tiny()
    method = method_type(config, prepare(dataset, cache_dir), torch.device("cpu"))
    path = storage / "unlabelled.safetensors"
    export("vae", config.model_dump(mode="json"), dataset, method, path, 1, {}, "", "minimize")
    status, shown, out = run("unlabelled.safetensors", "--arithmetic")
    assert status == 2
    assert "--arithmetic needs a classifier" in shown
    assert not out.exists()
