"""Folders of images: files in real formats, written by Pillow on the spot."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from trainables.data.cache import open_dataset, prepare
from trainables.data.sources import file_name, full_name, source_of
from trainables.errors import InputError


def random_pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write_images(folder, number, shape=(6, 5), suffix=".png", seed=0):
    """`number` random images `(H, W[, 3])`; returns their pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = random_pixels(number, *shape, seed=seed)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{i:03d}{suffix}")
    return pixels


def load(folder, scratch):
    return source_of(f"folder:{folder}").load(scratch)


def rows(images, labels):
    return sorted((image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True))


def refusal(folder, scratch):
    with pytest.raises(InputError) as caught:
        load(folder, scratch)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def scratch(tmp_path):
    return tmp_path / "downloads"


@pytest.mark.parametrize("suffix", [".png", ".pgm", ".bmp", ".TIF"])
def test_sub_folders_are_classes_in_alphabetical_order(suffix, tmp_path, scratch):
    zebra = write_images(tmp_path / "zoo/zebra", 10, suffix=suffix)
    ape = write_images(tmp_path / "zoo/ape", 15, suffix=suffix, seed=1)
    train, test = load(tmp_path / "zoo", scratch)
    assert train.examples.shape == (20, 1, 6, 5)
    assert (train.examples.dtype, train.labels.dtype) == (np.uint8, np.int64)
    assert np.bincount(test.labels).tolist() == [3, 2]
    found = rows(train.examples[:, 0], train.labels) + rows(test.examples[:, 0], test.labels)
    assert sorted(found) == rows([*ape, *zebra], [0] * 15 + [1] * 10)


def test_colours_are_kept(tmp_path, scratch):
    pixels = write_images(tmp_path / "all", 10, (4, 7, 3))
    train, test = load(tmp_path / "all", scratch)
    assert (train.labels, test.labels) == (None, None)
    assert (train.examples.shape, test.examples.shape) == ((8, 3, 4, 7), (2, 3, 4, 7))
    found = np.concatenate([train.examples, test.examples]).transpose(0, 2, 3, 1)
    assert rows(found, [0] * 10) == rows(pixels, [0] * 10)


def test_gray_images_among_coloured_ones_become_rgb(tmp_path, scratch):
    coloured = write_images(tmp_path / "all", 9, (3, 3, 3))
    gray = random_pixels(3, 3, seed=1)
    Image.fromarray(gray).save(tmp_path / "all/gray.png")
    found = np.concatenate([split.examples for split in load(tmp_path / "all", scratch)])
    assert rows(found.transpose(0, 2, 3, 1), [0] * 10) == rows([*coloured, np.dstack([gray] * 3)], [0] * 10)


def test_loading_twice_gives_the_same_splits(tmp_path, scratch):
    write_images(tmp_path / "all", 20)
    for first, second in zip(load(tmp_path / "all", scratch), load(tmp_path / "all", scratch), strict=True):
        np.testing.assert_array_equal(first.examples, second.examples)


def test_other_files_and_hidden_ones_are_left_out(tmp_path, scratch):
    write_images(tmp_path / "zoo/ape", 5)
    (tmp_path / "zoo/README.md").write_text("about apes")
    (tmp_path / "zoo/ape/.DS_Store").touch()
    write_images(tmp_path / "zoo/.thumbnails", 5)
    write_images(tmp_path / "zoo/ape/deeper", 5)
    train, test = load(tmp_path / "zoo", scratch)
    assert len(train) + len(test) == 5
    assert set(train.labels) == {0}


def test_nothing_is_left_in_the_scratch_folder(tmp_path, scratch):
    write_images(tmp_path / "all", 5)
    load(tmp_path / "all", scratch)
    assert list(scratch.iterdir()) == []


# ---- what is refused


def test_an_absent_folder_is_named(tmp_path, scratch):
    assert f"there is no folder {tmp_path / 'zoo'}" in refusal(tmp_path / "zoo", scratch)


def test_a_folder_without_images_says_what_images_are(tmp_path, scratch):
    (tmp_path / "zoo/train/ape").mkdir(parents=True)
    (tmp_path / "zoo/notes.txt").touch()
    sentence = refusal(tmp_path / "zoo", scratch)
    assert "neither" in sentence
    assert ".png" in sentence


def test_images_beside_classes_are_refused(tmp_path, scratch):
    write_images(tmp_path / "zoo/ape", 5)
    write_images(tmp_path / "zoo", 1)
    assert "has images, such as 000.png, beside sub-folders" in refusal(tmp_path / "zoo", scratch)


def test_two_sizes_are_refused_with_a_file_of_each(tmp_path, scratch):
    write_images(tmp_path / "zoo/ape", 5, (6, 5))
    write_images(tmp_path / "zoo/bee", 5, (6, 4))
    sentence = refusal(tmp_path / "zoo", scratch)
    assert f"{tmp_path / 'zoo/ape/000.png'} has 5x6 pixels but {tmp_path / 'zoo/bee/000.png'} has 4x6" in sentence


@pytest.mark.parametrize("damage", [lambda content: content[:60], lambda content: b"", lambda content: b"<html>"])
def test_a_file_that_is_no_image_is_named(damage, tmp_path, scratch):
    write_images(tmp_path / "all", 6)
    path = tmp_path / "all/003.png"
    path.write_bytes(damage(path.read_bytes()))
    assert f"{path} cannot be read (damaged, or not an image)" in refusal(tmp_path / "all", scratch)


def test_sixteen_bits_are_refused_rather_than_cut(tmp_path, scratch):
    write_images(tmp_path / "all", 6)
    Image.fromarray(np.full((6, 5), 40_000, np.uint16)).save(tmp_path / "all/deep.png")
    assert "deep.png has more than 8 bits a channel" in refusal(tmp_path / "all", scratch)


def test_a_class_too_small_to_be_split_is_named(tmp_path, scratch):
    write_images(tmp_path / "zoo/ape", 5)
    write_images(tmp_path / "zoo/bee", 4)
    assert f"class 'bee' in {tmp_path / 'zoo/bee'} has 4 images: at least 5" in refusal(tmp_path / "zoo", scratch)


def test_too_few_images_without_classes_are_refused(tmp_path, scratch):
    write_images(tmp_path / "all", 4)
    assert f"{tmp_path / 'all'} has 4 images: at least 5" in refusal(tmp_path / "all", scratch)


# ---- in the cache


def test_a_folder_goes_through_the_cache_under_its_name(tmp_path):
    write_images(tmp_path / "zoo/ape", 10, (4, 4, 3))
    write_images(tmp_path / "zoo/bee", 10, (4, 4, 3))
    name = f"folder:{tmp_path / 'zoo'}"
    prepare(name, tmp_path / "cache")
    dataset = open_dataset(name, tmp_path / "cache")
    assert (dataset.name, dataset.num_classes, dataset.shape) == (name, 2, (3, 4, 4))
    assert (len(dataset.train), len(dataset.test)) == (16, 4)


def test_images_without_classes_stay_unlabelled_in_the_cache(tmp_path):
    write_images(tmp_path / "all", 10)
    assert prepare(f"folder:{tmp_path / 'all'}", tmp_path / "cache").num_classes is None


@pytest.mark.filterwarnings("error")
def test_an_unchanged_folder_is_not_read_again(tmp_path, monkeypatch):
    write_images(tmp_path / "all", 10)
    name = f"folder:{tmp_path / 'all'}"
    prepare(name, tmp_path / "cache")
    monkeypatch.delattr("trainables.data.image_files._read")
    assert len(prepare(name, tmp_path / "cache").train) == 8


def add(folder):
    write_images(folder, 11)


def remove(folder):
    (folder / "000.png").unlink()


def move(folder):
    (folder / "000.png").rename(folder / "zzz.png")


def touch(folder):
    os.utime(folder / "000.png", (1, 1))


@pytest.mark.parametrize(("change", "number"), [(add, 11), (remove, 9), (move, 10), (touch, 10)])
def test_a_changed_folder_is_prepared_again(change, number, tmp_path):
    write_images(tmp_path / "all", 10)
    name = f"folder:{tmp_path / 'all'}"
    prepare(name, tmp_path / "cache")
    change(tmp_path / "all")
    with pytest.warns(UserWarning, match="have changed: preparing it again"):
        dataset = prepare(name, tmp_path / "cache")
    assert len(dataset.train) + len(dataset.test) == number


def test_what_was_prepared_outlives_the_folder(tmp_path):
    write_images(tmp_path / "all", 10)
    name = f"folder:{tmp_path / 'all'}"
    prepare(name, tmp_path / "cache")
    (tmp_path / "all").rename(tmp_path / "elsewhere")
    assert len(prepare(name, tmp_path / "cache").train) == 8


def test_folders_of_the_same_name_do_not_share_a_cache(tmp_path):
    names = [file_name(f"folder:{tmp_path / parent / 'faces'}") for parent in ("a", "b")]
    assert len(set(names)) == 2
    for name in names:
        assert name.startswith("folder-faces-")


def test_the_cache_of_any_path_is_one_plain_name():
    for path in ("/", "/x/räume und:zeit", "/x/" + 200 * "y", "/a\nb"):
        assert file_name(f"folder:{path}").replace("-", "").replace("_", "").isalnum()
        assert file_name(f"folder:{path}").isascii()
        assert len(file_name(f"folder:{path}")) < 80


def test_a_relative_path_means_the_same_to_a_process_that_runs_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = full_name("folder:some/../faces/")
    assert name == f"folder:{tmp_path / 'faces'}"
    assert file_name("folder:faces") == file_name(name)
    assert full_name("mnist5k:3") == "mnist5k:3"


def test_a_home_folder_is_found(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert full_name("folder:~/faces") == "folder:/home/somebody/faces"
