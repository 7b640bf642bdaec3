"""CIFAR-10: tiny files in the published format, with checksums of their own."""

from __future__ import annotations

import hashlib
import pickle
import tarfile

import numpy as np
import pytest
import torchvision.datasets

from trainables.data.cache import is_at_hand
from trainables.data.sources import SOURCES
from trainables.errors import InputError

CIFAR10 = torchvision.datasets.CIFAR10
BATCHES = [name for name, _ in CIFAR10.train_list + CIFAR10.test_list]
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 2, 3, 32, 32), dtype=np.uint8)
LABELS = [[2 * i % 10, (2 * i + 7) % 10] for i in range(6)]


def batch(index):
    """A batch as its page describes it: rows of 3,072 bytes, red plane first, pickled by Python 2."""
    content = {"data": PIXELS[index].reshape(2, 3072), "labels": LABELS[index], "batch_label": "batch"}
    return (
        pickle.dumps(content, protocol=2)
        .replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        .replace(b"\x89\x88\x87", b"K\x00K\x01\x87")  # Python 2 had no opcodes for the dtype's booleans
    )


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A folder with files whose checksums torchvision takes for the published ones."""
    folder = tmp_path / "published" / CIFAR10.base_folder
    folder.mkdir(parents=True)
    for index, name in enumerate(BATCHES):
        (folder / name).write_bytes(batch(index))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": [f"class {k}" for k in range(10)]}, protocol=2))
    sums = [[name, md5(folder / name)] for name in BATCHES]
    monkeypatch.setattr(CIFAR10, "train_list", sums[:5])
    monkeypatch.setattr(CIFAR10, "test_list", sums[5:])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5(folder / "batches.meta")})
    return folder


def assert_are_the_published_splits(splits):
    train, test = splits
    np.testing.assert_array_equal(train.examples, PIXELS[:5].reshape(10, 3, 32, 32))
    np.testing.assert_array_equal(test.examples, PIXELS[5])
    assert train.labels.tolist() == [label for batch in LABELS[:5] for label in batch]
    assert test.labels.tolist() == LABELS[5]
    for split in splits:
        assert (split.examples.dtype, split.labels.dtype) == (np.uint8, np.int64)


@pytest.mark.filterwarnings("error")
def test_files_in_the_download_folder_are_read(published, tmp_path):
    assert_are_the_published_splits(SOURCES["cifar10"].load(published.parent))


def test_an_archive_is_downloaded_and_unpacked(published, server, tmp_path, monkeypatch):
    folder, address = server
    archive = folder / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(published, arcname=published.name)
    monkeypatch.setattr(CIFAR10, "url", f"{address}{archive.name}")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(archive))
    assert_are_the_published_splits(SOURCES["cifar10"].load(tmp_path / "downloads"))
    assert [path.name for path in (tmp_path / "downloads").iterdir()] == [CIFAR10.base_folder]


class Program:
    """Pickled, this is a program that creates the file `path` when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_that_is_not_the_published_one_is_never_opened(published, tmp_path):
    (published / "data_batch_3").write_bytes(pickle.dumps(Program(tmp_path / "ran")))
    with pytest.raises(InputError, match=f"{published} is incomplete or damaged: remove it"):
        SOURCES["cifar10"].load(published.parent)
    assert not (tmp_path / "ran").exists()


def test_an_incomplete_folder_is_named(published):
    (published / "test_batch").unlink()
    with pytest.raises(InputError, match=f"{published} is incomplete or damaged"):
        SOURCES["cifar10"].load(published.parent)


def test_without_a_network_one_sentence_says_where_it_looked_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:9/cifar-10-python.tar.gz")
    with pytest.raises(InputError) as caught:
        SOURCES["cifar10"].load(tmp_path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    for part in (str(tmp_path / CIFAR10.base_folder), "Connection refused", "cifar-10-python.tar.gz"):
        assert part in sentence
    assert list(tmp_path.iterdir()) == []


def test_is_at_hand_once_its_folder_is_there(tmp_path):
    assert not is_at_hand("cifar10", tmp_path)
    (tmp_path / "downloads" / CIFAR10.base_folder).mkdir(parents=True)
    assert is_at_hand("cifar10", tmp_path)
