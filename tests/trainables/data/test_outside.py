"""Data sets of other packages and modules."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from trainables.data.cache import open_dataset, prepare
from trainables.data.sources import file_name, full_name, parent_of, source_of
from trainables.errors import InputError
from trainables.measures.points import Points
from trainables.measures.settings import DetectionSettings, FidelitySettings, PointsSettings

MODULE = """
from pathlib import Path
import numpy as np
from trainables.data.dataset import Split
from trainables.data.points import Mixture
from trainables.data.sources import Source, of_points
from trainables.errors import InputError

def load(downloads: Path):
    images = np.full((20, 1, 4, 4), {level}, np.uint8)
    labels = np.arange(20) % 2
    return Split(images[:16], labels[:16]), Split(images[16:], labels[16:])

GRAY = Source(load, "gray images", (1, 4, 4), 2)

PLACES = of_points(Mixture("two places", 60, ((0.0, 0.0), (4.0, 0.0)), 0.1))

def made():
    return Source(load, "made by a function", (1, 4, 4), 2)

def fails():
    raise RuntimeError("no luck")

def refuses():
    raise InputError("not today.")

NUMBER = 7
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module with data sets, and its file."""
    folder = tmp_path / "modules"
    folder.mkdir()
    file = folder / "gray_sets_of_somebody.py"
    file.write_text(MODULE.format(level=100))
    monkeypatch.syspath_prepend(folder)
    yield file.stem, file
    sys.modules.pop(file.stem, None)


@pytest.mark.parametrize("attribute", ["GRAY", "made"])
def test_a_source_in_a_module_is_a_data_set(module, tmp_path, attribute):
    name = f"{module[0]}:{attribute}"
    prepared = prepare(name, tmp_path / "cache")
    opened = open_dataset(name, tmp_path / "cache")
    assert (prepared.name, prepared.shape, prepared.num_classes) == (name, (1, 4, 4), 2)
    np.testing.assert_array_equal(opened.train.examples, np.full((16, 1, 4, 4), 100))
    assert (parent_of(name), full_name(name)) == (name, name)


def test_one_class_of_it_is_a_data_set_too(module, tmp_path):
    name = f"{module[0]}:GRAY:1"
    prepared = prepare(name, tmp_path)
    assert (len(prepared.train), len(prepared.test)) == (8, 2)
    assert set(prepared.train.labels) == {1}
    assert parent_of(name) == f"{module[0]}:GRAY"
    with pytest.raises(InputError, match="has no class '2': its classes are 0 to 1"):
        source_of(f"{module[0]}:GRAY:2")


def test_it_is_prepared_again_when_its_module_has_changed(module, tmp_path):
    name, file = f"{module[0]}:GRAY", module[1]
    prepare(name, tmp_path)
    file.write_text(MODULE.format(level=200) + "# changed\n")
    del sys.modules[module[0]]
    with pytest.warns(UserWarning, match="have changed: preparing it again"):
        changed = prepare(name, tmp_path)
    assert changed.train.examples.max() == 200


@pytest.mark.parametrize(
    ("attribute", "sentence"),
    [
        ("GREY", "unknown object of gray_sets_of_somebody 'GREY': did you mean 'GRAY'"),
        ("NUMBER", "'gray_sets_of_somebody:NUMBER' is not usable: it is not a Source"),
        ("fails", "'gray_sets_of_somebody:fails' is not usable: calling it raised RuntimeError: no luck"),
        ("refuses", "^not today"),
        ("", "unknown object of gray_sets_of_somebody ''"),
    ],
)
def test_what_is_no_source_is_refused_in_one_sentence(module, attribute, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        source_of(f"{module[0]}:{attribute}")
    assert "\n" not in str(caught.value)


def test_a_module_that_cannot_be_imported_is_named(module):
    module[1].write_text("import nothing_of_this_name")
    with pytest.raises(InputError, match="module 'gray_sets_of_somebody' of the data set cannot be imported"):
        source_of(f"{module[0]}:GRAY")
    with pytest.raises(InputError, match=r"module 'not_there.faces' of the data set cannot be imported"):
        source_of("not_there.faces:FACES")
    with pytest.raises(InputError, match="unknown data set 'not_there'"):
        source_of("not_there:FACES")


@pytest.mark.parametrize("name", ["random:3", "math:pi"])
def test_modules_that_hold_other_things_are_no_data_sets(name):
    with pytest.raises(InputError, match=r"unknown object|not usable"):
        source_of(name)


@pytest.fixture
def installed(module, tmp_path, monkeypatch):
    """As a package that is installed: its metadata names an entry point."""
    metadata = module[1].parent / "somebody-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: somebody\nVersion: 1.0\n")
    points = f"gray = {module[0]}:GRAY\ndigits = {module[0]}:GRAY\n"
    (metadata / "entry_points.txt").write_text(f"[generative_study.datasets]\n{points}")


@pytest.mark.usefixtures("installed")
def test_an_entry_point_is_a_data_set(tmp_path):
    assert prepare("gray", tmp_path).shape == (1, 4, 4)
    assert set(prepare("gray:0", tmp_path).train.labels) == {0}
    assert parent_of("gray:0") == "gray"
    with pytest.raises(InputError, match="unknown data set 'grey': did you mean 'gray'"):
        source_of("grey")


@pytest.mark.usefixtures("installed")
def test_our_names_come_before_those_of_entry_points():
    assert "scikit-learn" in source_of("digits").description


def test_file_names_are_safe_and_differ(module):
    names = [f"{module[0]}:GRAY", f"{module[0]}:GRAY:1", f"{module[0]}:made", "a.b:C", "a.b_C", "a/../b", "downloads"]
    files = [file_name(name) for name in names]
    assert len(set(files)) == len(names)
    for file in files:
        assert file.replace("-", "").replace("_", "").replace(".", "").isalnum()
        assert file not in ("downloads", "classifiers", "references", "inception")


def test_points_of_somebody_are_measured_as_points_alone(module, tmp_path):
    places, gray = (f"{module[0]}:{name}" for name in ("PLACES", "GRAY"))
    settings = PointsSettings(num_samples=100)
    settings.check(places)
    measure = Points(settings, prepare(places, tmp_path / "cache"), tmp_path / "cache", torch.device("cpu"))
    at_the_first = measure.point_metrics(np.zeros((100, 2), np.float32))
    assert at_the_first.keys() == settings.metrics(places).keys() - {"boundary", "optimality_gap"}
    assert (at_the_first["modes"], at_the_first["inside"]) == (1, 1.0)
    with pytest.raises(InputError, match=r"is for points, and data set .* has images"):
        settings.check(gray)
    for of_images in (FidelitySettings(num_samples=100), DetectionSettings()):
        with pytest.raises(InputError, match=r"measures images, and data set .* has points"):
            of_images.check(places)
    with pytest.raises(InputError, match=r"--ood-sets .*: this data set has points"):
        DetectionSettings(ood_sets=(places,)).check(gray)
