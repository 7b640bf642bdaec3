"""The data sets that ship with a dependency, compared with what that dependency gives."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_sample_images
from sklearn.neighbors import KNeighborsClassifier

from trainables.data.sources import SOURCES

NO_DOWNLOADS = Path("/nonexistent")
BUNDLED = {"digits": (1437, 360), "mnist5k": (4000, 1000), "photo_patches": (416, 104)}


@cache
def load(name):
    return SOURCES[name].load(NO_DOWNLOADS)


def rows(images, labels):
    """Images with their labels, as a sorted list that ignores the order and the split."""
    return sorted((image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True))


def all_rows(name):
    train, test = load(name)
    return sorted(rows(train.examples, train.labels) + rows(test.examples, test.labels))


@pytest.mark.parametrize("name", BUNDLED)
def test_splits_have_the_documented_sizes(name):
    train, test = load(name)
    assert (len(train), len(test)) == BUNDLED[name]


@pytest.mark.parametrize("name", BUNDLED)
def test_images_and_labels_are_as_the_source_declares(name):
    source = SOURCES[name]
    for split in load(name):
        assert split.examples.dtype == np.uint8
        assert split.examples.shape[1:] == source.shape
        assert split.labels.dtype == np.int64
        assert split.labels.shape == (len(split),)
        assert set(split.labels) == set(range(source.num_classes))


@pytest.mark.parametrize("name", BUNDLED)
def test_a_fifth_of_each_class_is_for_testing(name):
    train, test = (np.bincount(split.labels) for split in load(name))
    assert abs(test - (train + test) / 5).max() <= 1


@pytest.mark.parametrize("name", ["digits", "photo_patches"])
def test_loading_twice_gives_the_same_bytes(name):
    for first, second in zip(load(name), SOURCES[name].load(NO_DOWNLOADS), strict=True):
        np.testing.assert_array_equal(first.examples, second.examples)
        np.testing.assert_array_equal(first.labels, second.labels)


@pytest.mark.parametrize(("name", "digest"), [("digits", "ac6ada28192bd51a"), ("mnist5k", "c819306fbc200c97")])
def test_the_split_is_the_one_that_past_results_were_measured_on(name, digest):
    """If this fails, raise the cache's format: numbers from before and after are not comparable."""
    _, test = load(name)
    assert hashlib.sha256(test.examples.tobytes()).hexdigest()[:16] == digest


def test_digits_are_scikit_learns_stretched_to_255():
    bunch = load_digits()
    stretched = (bunch.images * 255 / 16).round().astype(np.uint8)
    assert all_rows("digits") == rows(stretched, bunch.target)
    train, _ = load("digits")
    assert (train.examples.min(), train.examples.max(), len(np.unique(train.examples))) == (0, 255, 17)


def test_mnist5k_is_upright_white_on_black_and_in_full_range():
    train, _ = load("mnist5k")
    assert (train.examples.min(), train.examples.max()) == (0, 255)
    assert train.examples.mean() < 128
    mean_one = train.examples[train.labels == 1, 0].mean(axis=0) > 64
    height, width = mean_one.any(axis=1).sum(), mean_one.any(axis=0).sum()
    assert height > 1.5 * width


@pytest.mark.parametrize(("name", "accuracy"), [("digits", 0.96), ("mnist5k", 0.92)])
def test_labels_belong_to_their_images(name, accuracy):
    train, test = load(name)
    neighbours = KNeighborsClassifier(3).fit(train.examples.reshape(len(train), -1) / 255, train.labels)
    assert neighbours.score(test.examples.reshape(len(test), -1) / 255, test.labels) > accuracy


def test_photo_patches_are_each_cut_once_from_the_photograph_they_are_labelled_with():
    patches, labels = [], []
    for label, photo in enumerate(load_sample_images().images):
        for top in range(0, photo.shape[0] - 31, 32):
            for left in range(0, photo.shape[1] - 31, 32):
                patches.append(photo[top : top + 32, left : left + 32].transpose(2, 0, 1))
                labels.append(label)
    assert all_rows("photo_patches") == rows(patches, labels)
