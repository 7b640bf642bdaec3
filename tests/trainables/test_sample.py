from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.data.cache import open_dataset, prepare
from trainables.data.dataset import Dataset, Split
from trainables.data.tensors import to_uint8
from trainables.export import export, find_export, load_export
from trainables.methods.base import method_class
from trainables.sample import main

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    """What a study leaves behind: `night` with three trials, the second the best, and `empty` without any."""
    folder = tmp_path_factory.mktemp("storage")
    digits = prepare("digits", folder / "cache")
    for number, distance in enumerate((30.0, 10.0, 20.0)):
        config = method_class("discriminator_only").Config(width=1 / 64, batch_size=16, max_updates=2, seed=number)
        method = method_class("discriminator_only")(config, digits, CPU)
        path = folder / f"studies/night/trials/000{number}/best.safetensors"
        settings = config.model_dump(mode="json")
        export(
            "discriminator_only", settings, "digits", method, path, 1, {"fid_lenet": distance}, "fid_lenet", "minimize"
        )
    (folder / "studies/night/trials/0003").mkdir()
    (folder / "studies/empty/trials").mkdir(parents=True)
    return folder


@pytest.fixture
def run(storage, tmp_path):
    def run(*arguments, source="night", out="samples.npy"):
        return main(["--from", str(source), "--storage-dir", str(storage), "--out", str(tmp_path / out), *arguments])

    return run


def test_an_array_is_what_the_method_samples(run, storage, tmp_path, capsys):
    assert run("--num", "20", "--seed", "3") == 0
    best = storage / "studies/night/trials/0001/best.safetensors"
    method = load_export(best, storage / "cache", CPU)
    expected = to_uint8(method.sample(20, torch.Generator().manual_seed(3)))
    images = np.load(tmp_path / "samples.npy")
    assert images.dtype == np.uint8
    assert images.shape == (20, *open_dataset("digits", storage / "cache").shape)
    assert np.array_equal(images, expected)
    assert str(best) in capsys.readouterr().out


def test_points_are_an_array_of_floats_and_never_a_grid(tmp_path, capsys):
    spiral = prepare("spiral", tmp_path / "cache")
    config = method_class("discriminator_only_points").Config(updates=2)
    method = method_class("discriminator_only_points")(config, spiral, CPU)
    path = tmp_path / "best.safetensors"
    export(
        "discriminator_only_points", config.model_dump(mode="json"), "spiral", method, path, 0, {}, "energy", "minimize"
    )
    common = ["--from", str(path), "--storage-dir", str(tmp_path), "--num", "9"]
    assert main([*common, "--out", str(tmp_path / "points.npy")]) == 0
    points = np.load(tmp_path / "points.npy")
    assert np.array_equal(points, method.sample(9, torch.Generator().manual_seed(0)).numpy())
    assert main([*common, "--out", str(tmp_path / "points.png")]) == 2
    assert "choose an --out that ends in .npy" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a.npy", "a.png"])
def test_the_same_seed_gives_the_same_file(run, tmp_path, name):
    contents = []
    for seed in ("5", "5", "6"):
        assert run("--num", "4", "--seed", seed, out=name) == 0
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1] != contents[2]


def test_the_picture_is_a_grid_of_all_images(run, tmp_path):
    assert run("--num", "16", out="grid.png") == 0
    picture = np.asarray(Image.open(tmp_path / "grid.png"))
    assert picture.shape == (2 * 34 + 2, 8 * 34 + 2)  # 8x8 pixels are enlarged to 32x32, with a margin of 2
    assert picture.std() > 5


def test_a_file_a_trial_a_study_and_a_name_are_understood(storage):
    study = storage / "studies/night"
    trial = study / "trials/0002"
    assert find_export(trial / "best.safetensors", storage) == trial / "best.safetensors"
    assert find_export(trial, storage) == trial / "best.safetensors"
    best = study / "trials/0001/best.safetensors"
    assert [find_export(source, storage) for source in (study, Path("night"))] == [best, best]


def test_weights_at_the_top_of_a_study_go_first(storage, tmp_path):
    (tmp_path / "trials/0000").mkdir(parents=True)
    for place in ("best.safetensors", "trials/0000/best.safetensors"):
        (tmp_path / place).write_bytes(b"")
    assert find_export(tmp_path, storage) == tmp_path / "best.safetensors"


@pytest.mark.parametrize(
    ("arguments", "source", "sentence"),
    [
        ((), "nihgt", "did you mean 'night'?"),
        ((), "empty", "nothing has been exported"),
        (("--num", "0"), "night", "--num"),
        (("--seed", "-1"), "night", "--seed"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(run, capsys, arguments, source, sentence):
    assert run(*arguments, source=source) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("out", ["samples.gif", "samples", "no_folder/samples.png"])
def test_an_output_that_cannot_be_written_is_refused(run, capsys, out):
    assert run(out=out) == 2
    assert "--out" in capsys.readouterr().err


def test_a_storage_without_studies_is_named(tmp_path, capsys):
    assert main(["--from", "night", "--storage-dir", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_a_file_that_is_no_export_is_refused(run, tmp_path, capsys):
    (tmp_path / "text.safetensors").write_text("hello, this is no safetensors file")
    assert run(source=tmp_path / "text.safetensors") == 2
    assert "damaged" in capsys.readouterr().err


def test_it_starts_without_the_driver():
    code = "import sys, trainables.sample; print({'ray', 'mlflow', 'optuna'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


@pytest.mark.parametrize("name", ["gan", "discriminator_only"])
def test_a_file_is_enough_on_a_machine_without_the_data(tmp_path, name):
    """The weights of a method that was trained on a folder which is not here, whatever the cache holds."""
    images = np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
    splits = [Split(images, np.arange(20) % 2)] * 2
    dataset = Dataset("folder:/elsewhere/faces", *splits, 2)
    method_type = method_class(name)
    config = method_type.Config.tiny()
    method = method_type(config, dataset, torch.device("cpu"))
    path = tmp_path / "best.safetensors"
    dumped = config.model_dump(mode="json")
    export(name, dumped, dataset.name, method, path, 1, {"fid": 1.0}, "fid", "minimize")
    arguments = ["--from", str(path), "--num", "4", "--out", str(tmp_path / "x.npy")]
    assert main([*arguments, "--storage-dir", str(tmp_path / "empty")]) == 0
    expected = method.sample(4, torch.Generator().manual_seed(0))
    assert np.array_equal(np.load(tmp_path / "x.npy"), to_uint8(expected))
    assert not (tmp_path / "empty").exists()
