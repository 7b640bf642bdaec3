"""The cache, mostly with a tiny source that is made up on the spot."""

from __future__ import annotations

import json
import multiprocessing
import os
import time

import numpy as np
import pytest

from trainables.data.cache import is_at_hand, open_dataset, prepare
from trainables.data.dataset import Split
from trainables.data.sources import SOURCES, Source
from trainables.errors import InputError

ARRAY_FILES = {"train_examples.npy", "train_labels.npy", "test_examples.npy", "test_labels.npy"}


def tiny_splits(downloads=None):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (20, 3, 5, 4), dtype=np.uint8)
    labels = generator.integers(0, 7, 20)
    return Split(images[:15], labels[:15]), Split(images[15:], labels[15:])


def must_not_load(downloads):
    pytest.fail("the source was loaded")


def register(monkeypatch, load, num_classes=7):
    monkeypatch.setitem(SOURCES, "tiny", Source(load, "made up", (3, 5, 4), num_classes))


@pytest.fixture
def tiny(monkeypatch):
    register(monkeypatch, tiny_splits)


def assert_is_tiny(dataset):
    for split, expected in zip((dataset.train, dataset.test), tiny_splits(), strict=True):
        np.testing.assert_array_equal(split.examples, expected.examples)
        np.testing.assert_array_equal(split.labels, expected.labels)
    assert (dataset.name, dataset.num_classes, dataset.shape) == ("tiny", 7, (3, 5, 4))


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.filterwarnings("error")
@pytest.mark.usefixtures("tiny")
def test_a_prepared_data_set_is_what_the_source_gave(tmp_path):
    assert_is_tiny(prepare("tiny", tmp_path / "new/cache"))
    assert_is_tiny(open_dataset("tiny", tmp_path / "new/cache"))


@pytest.mark.usefixtures("tiny")
def test_arrays_are_read_only_memory_maps(tmp_path):
    dataset = prepare("tiny", tmp_path)
    for array in (dataset.train.examples, dataset.train.labels, dataset.test.examples, dataset.test.labels):
        assert isinstance(array, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_a_real_data_set_is_prepared(tmp_path):
    dataset = prepare("digits", tmp_path)
    assert (dataset.name, dataset.shape, dataset.num_classes) == ("digits", (1, 8, 8), 10)
    assert (len(dataset.train), len(dataset.test)) == (1437, 360)


def test_unlabelled_data_stays_unlabelled(tmp_path, monkeypatch):
    images = tiny_splits()[0].examples
    register(monkeypatch, lambda downloads: (Split(images), Split(images)), num_classes=None)
    dataset = prepare("tiny", tmp_path)
    assert (dataset.train.labels, dataset.test.labels, dataset.num_classes) == (None, None, None)


def test_sources_download_into_the_caches_own_folder(tmp_path, monkeypatch):
    asked = []
    register(monkeypatch, lambda downloads: asked.append(downloads) or tiny_splits())
    prepare("tiny", tmp_path)
    assert asked == [tmp_path / "downloads"]


@pytest.mark.usefixtures("tiny")
def test_caches_are_equal_byte_for_byte(tmp_path):
    for cache_dir in (tmp_path / "a", tmp_path / "b"):
        prepare("tiny", cache_dir)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.filterwarnings("error")
@pytest.mark.usefixtures("tiny")
def test_an_intact_cache_is_neither_loaded_again_nor_written_to(tmp_path, monkeypatch):
    prepare("tiny", tmp_path)
    (tmp_path / "tiny.lock").unlink()
    before = contents(tmp_path)
    register(monkeypatch, must_not_load)
    assert_is_tiny(prepare("tiny", tmp_path))
    assert contents(tmp_path) == before


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def empty(path):
    path.write_bytes(b"")


def remove(path):
    path.unlink()


def of_an_older_format(path):
    meta = json.loads(path.read_text())
    path.write_text(json.dumps({**meta, "key": {**meta["key"], "format": 0}}))


DAMAGES = [
    ("train_examples.npy", flip_a_bit),
    ("test_labels.npy", flip_a_bit),
    ("train_labels.npy", truncate),
    ("test_examples.npy", empty),
    ("train_examples.npy", remove),
    ("meta.json", truncate),
    ("meta.json", remove),
    ("meta.json", of_an_older_format),
]


@pytest.mark.parametrize(("file", "damage"), DAMAGES)
@pytest.mark.usefixtures("tiny")
def test_a_damaged_cache_is_prepared_again_with_a_warning(file, damage, tmp_path):
    prepare("tiny", tmp_path)
    intact = contents(tmp_path)
    damage(tmp_path / "tiny" / file)
    with pytest.warns(UserWarning, match="tiny is damaged or of another format: preparing 'tiny' again"):
        assert_is_tiny(prepare("tiny", tmp_path))
    assert contents(tmp_path) == intact


@pytest.mark.parametrize(("file", "damage"), [pair for pair in DAMAGES if pair[1] is not flip_a_bit])
@pytest.mark.usefixtures("tiny")
def test_a_trial_is_told_of_a_damaged_cache(file, damage, tmp_path):
    prepare("tiny", tmp_path)
    damage(tmp_path / "tiny" / file)
    with pytest.raises(InputError, match=r"cannot open data set 'tiny'.*prepare it on the driver"):
        open_dataset("tiny", tmp_path)


def test_a_trial_never_loads_what_is_absent(tmp_path, monkeypatch):
    register(monkeypatch, must_not_load)
    with pytest.raises(InputError, match=rf"{tmp_path}/tiny .No such file.*prepare it on the driver"):
        open_dataset("tiny", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("function", [prepare, open_dataset])
def test_an_unknown_name_gets_the_nearest_one(function, tmp_path):
    with pytest.raises(InputError, match="unknown data set 'digit': did you mean 'digits'"):
        function("digit", tmp_path)


@pytest.mark.usefixtures("tiny")
def test_a_folder_that_cannot_be_written_is_an_input_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot prepare data set 'tiny' in .*file/cache .*Not a directory"):
        prepare("tiny", tmp_path / "file/cache")


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch, full_disk):
    large = Split(np.zeros((100, 3, 32, 32), np.uint8))
    register(monkeypatch, lambda downloads: (large, large))
    with full_disk(), pytest.raises(InputError, match="make room there") as caught:
        prepare("tiny", tmp_path)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.lock"]


def test_more_classes_than_there_should_be_are_refused(tmp_path, monkeypatch):
    register(monkeypatch, tiny_splits, num_classes=6)
    with pytest.raises(InputError, match="'tiny' should have 6 classes, but there is a label 6"):
        prepare("tiny", tmp_path)
    assert not (tmp_path / "tiny").exists()


def test_files_without_images_are_refused(tmp_path, monkeypatch):
    train, _ = tiny_splits()
    register(monkeypatch, lambda downloads: (train, Split(train.examples[:0], train.labels[:0])))
    with pytest.raises(InputError, match="'tiny' has 15 images to train and 0 to test on"):
        prepare("tiny", tmp_path)


def test_a_sources_own_error_is_passed_on(tmp_path, monkeypatch):
    def load(downloads):
        raise InputError("nowhere to be had")

    register(monkeypatch, load)
    with pytest.raises(InputError, match=r"^nowhere to be had$"):
        prepare("tiny", tmp_path)
    assert not (tmp_path / "tiny").exists()


@pytest.mark.usefixtures("tiny")
def test_what_a_killed_process_left_is_no_obstacle(tmp_path):
    (tmp_path / "tiny.partial").mkdir()
    (tmp_path / "tiny.partial/train_examples.npy").write_bytes(b"half of")
    assert_is_tiny(prepare("tiny", tmp_path))
    assert {path.name for path in (tmp_path / "tiny").iterdir()} == {*ARRAY_FILES, "meta.json"}
    assert not (tmp_path / "tiny.partial").exists()


@pytest.mark.parametrize("damaged_before", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_processes_that_prepare_at_once_all_succeed_and_load_once(damaged_before, tmp_path, monkeypatch):
    cache_dir, loads = tmp_path / "cache", tmp_path / "loads"
    loads.mkdir()

    def load_slowly(downloads):
        (loads / str(os.getpid())).touch()
        time.sleep(0.3)
        return tiny_splits()

    register(monkeypatch, load_slowly)
    if damaged_before:
        prepare("tiny", cache_dir)
        flip_a_bit(cache_dir / "tiny/train_examples.npy")
        (loads / str(os.getpid())).unlink()
    # Forked, because a fresh process would not know the source that is registered here.
    context = multiprocessing.get_context("fork")
    together = context.Barrier(3)

    def prepare_and_check():
        together.wait()
        assert_is_tiny(prepare("tiny", cache_dir))

    processes = [context.Process(target=prepare_and_check) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=30)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(list(loads.iterdir())) == 1


def test_a_set_that_ships_with_a_dependency_is_at_hand(tmp_path):
    assert is_at_hand("digits", tmp_path)


def test_a_set_that_would_be_downloaded_is_not_at_hand_until_its_files_are_there(tmp_path):
    assert not is_at_hand("kmnist", tmp_path)
    folder = tmp_path / "downloads/KMNIST/raw"
    folder.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / f"{name}-ubyte").touch()
    assert is_at_hand("kmnist", tmp_path)
