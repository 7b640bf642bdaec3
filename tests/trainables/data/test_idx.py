"""Data sets in MNIST's format: files that the tests write, and a server that the tests run."""

from __future__ import annotations

import gzip
import hashlib
import socket
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets
from sklearn.neighbors import KNeighborsClassifier

from trainables.data import download, idx, mnist_family
from trainables.data.sources import SOURCES
from trainables.errors import InputError

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 28, 28), dtype=np.uint8)
LABELS = np.arange(12, dtype=np.uint8) % 10

# Data set -> its torchvision class.
DOWNLOADED = {"mnist": "MNIST", "kmnist": "KMNIST", "fashion_mnist": "FashionMNIST"}


@pytest.fixture(autouse=True)
def _this_machines_own_settings_are_hidden(monkeypatch, tmp_path):
    monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(mnist_family, "FASHION_MNIST_FOLDERS", [tmp_path / "usr/share/datasets/fashion-mnist"])


def idx_bytes(array):
    """The format as yann.lecun.com/exdb/mnist describes it: 0, 0, type (8: uint8), rank, big-endian sizes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_files(folder, images=IMAGES, labels=LABELS, prefixes=("train", "t10k"), suffix=""):
    """Eight examples in the first split, the others in the second."""
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, part in zip(prefixes, (slice(8), slice(8, None)), strict=True):
        for kind, array in (("images-idx3", images[part]), ("labels-idx1", labels[part])):
            content = idx_bytes(array)
            path = folder / f"{prefix}-{kind}-ubyte{suffix}"
            path.write_bytes(gzip.compress(content) if suffix == ".gz" else content)
    return folder


def assert_are_the_written_splits(splits):
    train, test = splits
    np.testing.assert_array_equal(train.examples, IMAGES[:8, None])
    np.testing.assert_array_equal(test.examples, IMAGES[8:, None])
    np.testing.assert_array_equal(train.labels, LABELS[:8])
    np.testing.assert_array_equal(test.labels, LABELS[8:])
    for split in splits:
        assert (split.examples.dtype, split.labels.dtype) == (np.uint8, np.int64)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("name", DOWNLOADED)
def test_files_in_the_download_folder_are_read(name, suffix, tmp_path):
    write_files(tmp_path / DOWNLOADED[name] / "raw", suffix=suffix)
    assert_are_the_written_splits(SOURCES[name].load(tmp_path))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_fashion_mnist_is_read_from_the_environments_folder(suffix, tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_MNIST_DIR", str(write_files(tmp_path / "mine", suffix=suffix)))
    assert_are_the_written_splits(SOURCES["fashion_mnist"].load(tmp_path))


def test_fashion_mnist_is_read_from_where_it_is_installed(tmp_path):
    write_files(tmp_path / "usr/share/datasets/fashion-mnist", suffix=".gz")
    assert_are_the_written_splits(SOURCES["fashion_mnist"].load(tmp_path / "downloads"))


def test_an_environments_folder_without_the_files_is_an_error_even_if_others_have_them(tmp_path, monkeypatch):
    write_files(tmp_path / "FashionMNIST/raw")
    monkeypatch.setenv("FASHION_MNIST_DIR", str(tmp_path / "mine"))
    with pytest.raises(InputError, match="mine has neither train-images-idx3-ubyte nor"):
        SOURCES["fashion_mnist"].load(tmp_path)


@pytest.mark.skipif(not DEBIAN_FOLDER.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_debians_fashion_mnist_is_complete_balanced_and_labelled(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist_family, "FASHION_MNIST_FOLDERS", [DEBIAN_FOLDER])
    train, test = SOURCES["fashion_mnist"].load(tmp_path)
    assert (train.examples.shape, test.examples.shape) == ((60000, 1, 28, 28), (10000, 1, 28, 28))
    assert np.bincount(train.labels).tolist() == [6000] * 10
    assert np.bincount(test.labels).tolist() == [1000] * 10
    neighbours = KNeighborsClassifier(3).fit(train.examples[:4000].reshape(4000, -1) / 255, train.labels[:4000])
    assert neighbours.score(test.examples[:500].reshape(500, -1) / 255, test.labels[:500]) > 0.75


EMNIST_PREFIXES = ("emnist-letters-train", "emnist-letters-test")


def test_emnist_letters_are_upright_and_count_from_zero(tmp_path):
    upright_l = np.zeros((28, 28), np.uint8)
    upright_l[4:24, 8:11] = 255
    upright_l[21:24, 8:20] = 255
    transposed = np.repeat(upright_l.T[None], 12, axis=0)
    labels = np.array([12] * 7 + [1] + [26, 12, 12, 12], np.uint8)
    write_files(tmp_path / "EMNIST/raw", transposed, labels, EMNIST_PREFIXES)
    train, test = SOURCES["emnist"].load(tmp_path)
    np.testing.assert_array_equal(train.examples[0, 0], upright_l)
    assert train.examples.shape == (8, 1, 28, 28)
    assert train.labels.tolist() == [ord("l") - ord("a")] * 7 + [0]
    assert test.labels.tolist() == [25, 11, 11, 11]


def test_emnist32_is_the_same_letters_resized(tmp_path):
    bar = np.zeros((28, 28), np.uint8)
    bar[7:21, 14:] = 255
    write_files(tmp_path / "EMNIST/raw", np.repeat(bar.T[None], 12, axis=0), np.full(12, 9, np.uint8), EMNIST_PREFIXES)
    for split in SOURCES["emnist32"].load(tmp_path):
        assert split.examples.shape[1:] == SOURCES["emnist32"].shape == (1, 32, 32)
        assert split.examples.dtype == np.uint8
        expected = np.zeros((32, 32))
        expected[8:24, 16:] = 255  # the bar ends where it did, in shares of the image
        inside = (slice(9, 23), slice(17, 32))
        np.testing.assert_array_equal(split.examples[0, 0][inside], expected[inside])
        assert abs(split.examples[0, 0] - expected).mean() < 6
        assert set(split.labels) == {8}


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("what_is_left", [slice(0), slice(2), slice(-30)])
def test_truncated_files_are_named(suffix, what_is_left, tmp_path):
    path = write_files(tmp_path / "MNIST/raw", suffix=suffix) / f"t10k-images-idx3-ubyte{suffix}"
    path.write_bytes(path.read_bytes()[what_is_left])
    with pytest.raises(InputError, match=f"{path} is damaged"):
        SOURCES["mnist"].load(tmp_path)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_web_page_saved_in_place_of_a_file_is_named(suffix, tmp_path):
    path = write_files(tmp_path / "MNIST/raw", suffix=suffix) / f"train-labels-idx1-ubyte{suffix}"
    path.write_bytes(b"<html>404 Not Found</html>")
    with pytest.raises(InputError, match=f"{path} is damaged"):
        SOURCES["mnist"].load(tmp_path)


def test_images_without_labels_are_refused(tmp_path):
    folder = write_files(tmp_path / "MNIST/raw")
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(LABELS[8:11]))
    with pytest.raises(InputError, match="4 images but 3 labels"):
        SOURCES["mnist"].load(tmp_path)


# ---- downloads


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def serve_mnist_like(monkeypatch, torchvision_class, folder, address):
    """Point torchvision's class to small files of ours, under their own checksums."""
    write_files(folder, suffix=".gz")
    monkeypatch.setattr(torchvision_class, "mirrors", [address])
    resources = [(path.name, md5(path)) for path in sorted(folder.glob("*.gz"))]
    monkeypatch.setattr(torchvision_class, "resources", resources)


@pytest.mark.parametrize("name", DOWNLOADED)
def test_absent_files_are_downloaded_once_and_nothing_else_is_kept(name, server, tmp_path, monkeypatch):
    torchvision_class = getattr(torchvision.datasets, DOWNLOADED[name])
    serve_mnist_like(monkeypatch, torchvision_class, *server)
    assert_are_the_written_splits(SOURCES[name].load(tmp_path))
    kept = sorted(path.name for path in (tmp_path / DOWNLOADED[name] / "raw").iterdir())
    assert kept == sorted(idx._file_names(("train", "t10k")))

    monkeypatch.setattr(torchvision_class, "mirrors", [])
    assert_are_the_written_splits(SOURCES[name].load(tmp_path))


def test_emnist_is_downloaded_as_an_archive_of_which_only_the_letters_are_kept(server, tmp_path, monkeypatch):
    folder, address = server
    letters = write_files(tmp_path / "letters", labels=LABELS + 1, prefixes=EMNIST_PREFIXES, suffix=".gz")
    write_files(letters, prefixes=("emnist-digits-train", "emnist-digits-test"), suffix=".gz")
    with zipfile.ZipFile(folder / "gzip.zip", "w") as archive:
        for path in letters.iterdir():
            archive.write(path, f"gzip/{path.name}")
    monkeypatch.setattr(torchvision.datasets.EMNIST, "url", f"{address}gzip.zip")
    monkeypatch.setattr(torchvision.datasets.EMNIST, "md5", md5(folder / "gzip.zip"))
    train, test = SOURCES["emnist"].load(tmp_path)
    np.testing.assert_array_equal(train.examples[:, 0], IMAGES[:8].transpose(0, 2, 1))
    np.testing.assert_array_equal(test.labels, LABELS[8:])
    kept = sorted(path.name for path in (tmp_path / "EMNIST/raw").iterdir())
    assert kept == sorted(idx._file_names(EMNIST_PREFIXES))


def test_a_download_with_the_wrong_checksum_leaves_nothing(server, tmp_path, monkeypatch):
    folder, address = server
    serve_mnist_like(monkeypatch, torchvision.datasets.MNIST, folder, address)
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"something else"))
    with pytest.raises(InputError, match="its download failed"):
        SOURCES["mnist"].load(tmp_path)
    assert list((tmp_path / "MNIST/raw").iterdir()) == []


@pytest.fixture
def unreachable(monkeypatch):
    """All of torchvision's addresses at a port where nobody listens."""
    for name in DOWNLOADED.values():
        monkeypatch.setattr(getattr(torchvision.datasets, name), "mirrors", ["http://127.0.0.1:9/"] * 2)
    monkeypatch.setattr(torchvision.datasets.EMNIST, "url", "http://127.0.0.1:9/gzip.zip")


@pytest.mark.parametrize("name", [*DOWNLOADED, "emnist"])
@pytest.mark.usefixtures("unreachable")
@pytest.mark.filterwarnings("error")
def test_without_a_network_one_sentence_says_where_it_looked_and_what_to_do(name, tmp_path, capfd):
    with pytest.raises(InputError) as caught:
        SOURCES[name].load(tmp_path)
    message = str(caught.value)
    raw_folder = tmp_path / DOWNLOADED.get(name, "EMNIST") / "raw"
    assert "\n" not in message
    assert f"is not in {raw_folder}" in message or f", {raw_folder}," in message
    assert "Connection refused" in message
    assert "-images-idx3-ubyte" in message
    assert f"into {raw_folder}" in message
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("unreachable")
def test_without_a_network_fashion_mnist_names_its_other_ways(tmp_path):
    with pytest.raises(InputError) as caught:
        SOURCES["fashion_mnist"].load(tmp_path)
    for way in (str(mnist_family.FASHION_MNIST_FOLDERS[0]), "FASHION_MNIST_DIR", "dataset-fashion-mnist"):
        assert way in str(caught.value)


def test_a_silent_server_is_given_up_and_the_timeout_is_put_back(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "NETWORK_TIMEOUT", 0.2)
    before = socket.getdefaulttimeout()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [address])
        with pytest.raises(InputError, match="timed out"):
            SOURCES["mnist"].load(tmp_path)
    assert socket.getdefaulttimeout() == before


def test_fashion5k_is_the_first_images_of_each_class(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist_family, "FASHION_MNIST_FOLDERS", [write_files(tmp_path / "mine")])
    train, test = SOURCES["fashion5k"].load(tmp_path / "downloads")
    assert_are_the_written_splits((train, test))  # fewer than 400 and 100 of each


@pytest.mark.skipif(not DEBIAN_FOLDER.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion5k_has_as_many_images_as_mnist5k(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist_family, "FASHION_MNIST_FOLDERS", [DEBIAN_FOLDER])
    (train, test), (of_train, of_test) = (SOURCES[name].load(tmp_path) for name in ("fashion5k", "fashion_mnist"))
    for few, all_of_them, number in ((train, of_train, 400), (test, of_test, 100)):
        assert np.bincount(few.labels).tolist() == [number] * 10
        for label in (0, 9):
            expected = all_of_them.examples[all_of_them.labels == label][:number]
            np.testing.assert_array_equal(few.examples[few.labels == label], expected)
