"""python -m trainables.score: the same numbers as in a trial, from files."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.data.cache import open_dataset
from trainables.data.tensors import to_tensor
from trainables.evaluator import Evaluator
from trainables.metrics.parzen import parzen_log_likelihood
from trainables.preparation import prepare_protocol
from trainables.score import main

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def storage(cache_dir, tmp_path_factory, of_images):
    """A storage folder with the digits and their classifier, real and generated ones in files, and the protocol."""
    folder = tmp_path_factory.mktemp("storage")
    (folder / "cache").symlink_to(cache_dir)
    protocol = prepare_protocol(of_images("digits", (), 1437), cache_dir).protocol
    rng = np.random.default_rng(0)
    digits = open_dataset("digits", cache_dir)
    fake = (digits.test.examples * 0.8 + rng.integers(0, 50, digits.test.examples.shape)).astype(np.uint8)
    for name, images in (("real", digits.train.examples), ("fake", fake)):
        np.save(folder / f"{name}.npy", images)
        (folder / name).mkdir()
        for i, image in enumerate(images):
            Image.fromarray(image[0]).save(folder / name / f"{i:04d}.png")
    return folder, protocol


@pytest.fixture
def score(storage, capsys):
    def run(real, fake, *arguments):
        status = main(
            ["--real", str(real), "--fake", str(fake), "--storage-dir", str(storage[0]), *arguments],
        )
        captured = capsys.readouterr()
        return json.loads(captured.out) if status == 0 else (status, captured.err)

    return run


LENET = ("--features", "lenet", "--dataset", "digits")


def test_the_numbers_are_those_of_a_trial_whatever_the_files(score, storage, cache_dir):
    folder, protocol = storage
    fake = to_tensor(np.load(folder / "fake.npy"))
    expected = Evaluator(protocol, cache_dir, CPU).measures[0].image_metrics(fake)
    np.save(folder / "floats.npy", fake.numpy())
    for sources in (("real", "fake"), ("real.npy", "fake.npy"), ("real.npy", "floats.npy")):
        outcome = score(*(folder / source for source in sources), *LENET)
        assert outcome["metrics"].keys() == expected.keys()
        for name, value in outcome["metrics"].items():
            assert value == pytest.approx(expected[name], rel=1e-6)
        assert outcome["protocol"]["extractor_sha256"] == protocol.measures[0].extractor_sha256
        assert (outcome["protocol"]["num_real"], outcome["protocol"]["num_fake"]) == (1437, 360)


def test_a_folder_of_arrays_is_one_set(score, storage, tmp_path):
    folder, _ = storage
    fake = np.load(folder / "fake.npy")
    np.save(tmp_path / "a.npy", fake[:100])
    np.save(tmp_path / "b.npy", fake[100:])
    first = score(folder / "real.npy", folder / "fake.npy", *LENET)
    assert score(folder / "real.npy", tmp_path, *LENET) == first


def test_another_protocol_has_another_hash(score, storage):
    real, fake = storage[0] / "real.npy", storage[0] / "fake.npy"
    hashes = [score(real, fake, *LENET, *more)["protocol_sha256"] for more in ((), (), ("--seed", "1"))]
    assert hashes[0] == hashes[1] != hashes[2]


def test_parzen_is_added_when_asked_for(score, storage):
    real, fake = storage[0] / "real.npy", storage[0] / "fake.npy"
    assert "parzen" not in score(real, fake, *LENET)
    parzen = score(real, fake, *LENET, "--parzen")["parzen"]
    assert 0.05 < parzen["bandwidth"] < 1
    assert np.isfinite(parzen["log_likelihood"])


def test_the_published_parzen_protocol_takes_ten_bandwidths_and_all_real_images(score, storage, tmp_path):
    folder = storage[0]
    real, fake = np.load(folder / "real.npy"), np.load(folder / "fake.npy")
    np.save(tmp_path / "test.npy", real[:300])
    np.save(tmp_path / "validation.npy", real[300:500])
    found = score(
        tmp_path / "test.npy", folder / "fake.npy", *LENET, "--parzen-validation", str(tmp_path / "validation.npy")
    )["parzen"]
    samples, validation, test = (torch.from_numpy(images / 255.0) for images in (fake, real[300:500], real[:300]))
    expected = parzen_log_likelihood(samples, validation, test, tuple(np.logspace(-1, 0, 10)))
    assert found["bandwidth"] == pytest.approx(expected.bandwidth)
    assert found["log_likelihood"] == pytest.approx(expected.log_likelihood, abs=1e-3)
    refused = score(tmp_path / "test.npy", folder / "fake.npy", *LENET, "--parzen-validation", str(tmp_path / "no.npy"))
    assert refused[0] == 2
    assert "no.npy" in refused[1]


def test_inception_takes_sets_of_different_sizes(score, storage, tmp_path, inception_weights):
    weights, sha256 = inception_weights
    np.save(tmp_path / "rgb.npy", np.random.default_rng(0).integers(0, 256, (6, 3, 20, 20), dtype=np.uint8))
    np.save(tmp_path / "gray.npy", np.load(storage[0] / "real.npy")[:6])
    arguments = ("--inception-weights", str(weights), "--inception-sha256", sha256, "--storage-dir", str(tmp_path))
    outcome = score(tmp_path / "gray.npy", tmp_path / "rgb.npy", *arguments)
    assert outcome["metrics"]["fid_inception"] > 0
    assert outcome["protocol"]["extractor_sha256"] == sha256


def save(path, array):
    np.save(path, array)
    return path


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((3, 1, 8, 8), np.uint8), "no neighbour number 3: more than 3"),
        (np.zeros((9, 1, 9, 8), np.uint8), r"the classifier takes floating-point images (n, 1, 8, 8)"),
        (np.zeros((9, 8, 8, 1), np.uint8), "images must be (n, 1 or 3, height, width)"),
        (np.zeros((0, 1, 8, 8), np.uint8), "images must be (n, 1 or 3, height, width)"),
        (np.full((9, 1, 8, 8), np.nan), "NaN or infinite"),
        (np.full((9, 1, 8, 8), 255.0), "floats must be in [-1, 1]"),
        (np.zeros((9, 1, 8, 8), np.int64), "values of type int64"),
        (np.array([None]), "not a .npy file of numbers"),
    ],
    ids=["few", "shape", "channels last", "none", "nan", "range", "integers", "objects"],
)
def test_images_that_cannot_be_scored_are_refused_in_one_sentence(score, storage, tmp_path, array, sentence):
    status, message = score(storage[0] / "real.npy", save(tmp_path / "bad.npy", array), *LENET)
    assert status == 2
    assert sentence in message
    assert message.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in message


def test_paths_and_options_that_make_no_sense_are_refused(score, storage, tmp_path):
    real = storage[0] / "real.npy"
    assert "neither images" in score(real, tmp_path, *LENET)[1]
    assert "no file or folder" in score(real, tmp_path / "nowhere", *LENET)[1]
    assert "name it with --dataset" in score(real, real, "--features", "lenet")[1]
    assert "unknown data set 'digit'" in score(real, real, "--features", "lenet", "--dataset", "digit")[1]
    (tmp_path / "a.png").write_bytes(b"no image")
    assert "cannot be read" in score(real, tmp_path, *LENET)[1]


def test_a_trial_imports_none_of_the_large_libraries(storage, cache_dir):
    """Each would cost every trial's process tens of megabytes."""
    code = (
        "import sys, torch; from pathlib import Path; from trainables.evaluator import Evaluator;"
        "from trainables.protocol import Protocol; from trainables.training import Training;"
        "protocol = Protocol.model_validate_json(sys.argv[1]);"
        "evaluator = Evaluator(protocol, Path(sys.argv[2]), torch.device('cpu'));"
        "[m.image_metrics(torch.zeros(9, 1, 8, 8)) for m in evaluator.measures[:2]];"
        "print({'sklearn', 'skimage', 'torchvision', 'pytorch_fid', 'mlxtend', 'matplotlib'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, storage[1].model_dump_json(), str(cache_dir)]
    assert subprocess.check_output(command, text=True).strip() == "set()"
