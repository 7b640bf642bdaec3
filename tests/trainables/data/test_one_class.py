"""Data sets that are one class of another."""

from __future__ import annotations

import numpy as np
import pytest

from trainables.data.cache import open_dataset, prepare
from trainables.data.dataset import Split
from trainables.data.sources import SOURCES, Source, parent_of, source_of
from trainables.errors import InputError


def test_one_class_has_its_parents_images_of_that_class_in_its_parents_splits(tmp_path):
    chosen = prepare("digits:3", tmp_path)
    for split, of_parent in zip((chosen.train, chosen.test), SOURCES["digits"].load(tmp_path), strict=True):
        np.testing.assert_array_equal(split.examples, of_parent.examples[of_parent.labels == 3])
        np.testing.assert_array_equal(split.labels, np.full(len(split), 3))
    assert len(chosen.train) + len(chosen.test) == 183  # of the threes that scikit-learn documents


def test_one_class_keeps_the_number_of_classes_that_its_parents_classifier_has(tmp_path):
    prepare("digits:3", tmp_path)
    opened = open_dataset("digits:3", tmp_path)
    assert (opened.name, opened.num_classes, opened.shape) == ("digits:3", 10, (1, 8, 8))


def test_the_parents_cache_is_another(tmp_path):
    prepare("digits:3", tmp_path)
    with pytest.raises(InputError, match="cannot open data set 'digits'"):
        open_dataset("digits", tmp_path)


@pytest.mark.parametrize("chosen", ["10", "-1", "03", "three", ""])
def test_an_unknown_class_gets_those_there_are(chosen):
    with pytest.raises(InputError, match=f"'mnist' has no class '{chosen}': its classes are 0 to 9"):
        source_of(f"mnist:{chosen}")


def test_a_set_without_classes_says_so(tmp_path, monkeypatch):
    split = Split(np.zeros((5, 1, 4, 4), np.uint8))
    monkeypatch.setitem(SOURCES, "plain", Source(lambda downloads: (split, split), "made up", (1, 4, 4), None))
    with pytest.raises(InputError, match="'plain' has no classes"):
        prepare("plain:0", tmp_path)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("mnits:3", "unknown data set 'mnits': did you mean 'mnist'"),
        ("folder:", "name the folder of images, as in folder:PATH"),
        ("folder", "name the folder of images, as in folder:PATH"),
    ],
)
def test_unknown_names_are_one_sentence(name, sentence):
    with pytest.raises(InputError, match=sentence):
        source_of(name)


@pytest.mark.parametrize(
    ("name", "parent"), [("mnist5k:3", "mnist5k"), ("digits", "digits"), ("folder:/x:3", "folder:/x:3")]
)
def test_the_parent_is_the_whole_set(name, parent):
    assert parent_of(name) == parent
