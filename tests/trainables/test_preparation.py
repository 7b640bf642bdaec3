"""What the driver prepares for data sets that the classifier cannot be trained on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.data.cache import prepare
from trainables.errors import InputError
from trainables.evaluator import Evaluator
from trainables.extractors import lenet_training as classifier_training
from trainables.extractors.lenet import prepare_classifier
from trainables.measures.settings import PointsSettings
from trainables.preparation import check_abilities, prepare_protocol
from trainables.protocol import Protocol


@pytest.fixture(autouse=True)
def _one_epoch(monkeypatch):
    monkeypatch.setattr(classifier_training, "MAX_UPDATES", 1)
    monkeypatch.setattr(classifier_training, "MIN_EPOCHS", 1)


def write_images(folder, number, size):
    folder.mkdir(parents=True)
    for i in range(number):
        pixels = np.random.default_rng(i).integers(0, 256, size, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")


def test_one_class_is_measured_with_its_parents_classifier(tmp_path, of_images):
    preparation = prepare_protocol(of_images("digits:3", ("digits", "scrambled"), 50), tmp_path)
    fidelity, _, detection = preparation.protocol.measures
    of_parent = prepare_classifier(prepare("digits", tmp_path), tmp_path)
    assert preparation.protocol.dataset == "digits:3"
    assert fidelity.extractor_sha256 == detection.classifier_sha256 == of_parent.sha256
    assert detection.ood_sets == ("scrambled",)
    evaluator = Evaluator(preparation.protocol, tmp_path, torch.device("cpu"))
    assert set(evaluator.dataset.train.labels) == {3}
    assert [path.parent.name for path in (tmp_path / "classifiers").glob("*/*.safetensors")] == ["digits"]


def test_a_folder_by_class_is_prepared_from_end_to_end(tmp_path, of_images):
    write_images(tmp_path / "zoo/ape", 10, (8, 9, 3))
    write_images(tmp_path / "zoo/bee", 10, (8, 9, 3))
    name = f"folder:{tmp_path / 'zoo'}"
    protocol = prepare_protocol(of_images(name, ("scrambled",), 10), tmp_path / "cache").protocol
    assert protocol.dataset == name
    evaluator = Evaluator(protocol, tmp_path / "cache", torch.device("cpu"))
    metrics = evaluator.measures[0].image_metrics(torch.zeros(4, 3, 8, 9))
    assert {"fid_lenet", "is_lenet", "kid_lenet", "precision_lenet", "recall_lenet"} < metrics.keys()


@pytest.mark.parametrize(
    ("classes", "size", "sentence"),
    [
        ([""], (8, 8), "has no labels .*each class is a sub-folder"),
        (["ape"], (8, 8), "has one class only"),
        (["ape", "bee"], (3, 8), "images of 3x8 cannot be pooled twice: 4x4 is the least"),
    ],
)
def test_what_cannot_be_classified_is_refused_in_one_sentence(classes, size, sentence, tmp_path, of_images):
    for name in classes:
        write_images(tmp_path / "zoo" / name, 8, size)
    with pytest.raises(InputError, match=f"data set 'folder:{tmp_path / 'zoo'}' .*{sentence}") as caught:
        prepare_protocol(of_images(f"folder:{tmp_path / 'zoo'}", (), 6), tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "cache/classifiers").exists() or not list((tmp_path / "cache/classifiers").glob("*/*.saf*"))


def test_inception_measures_images_that_have_no_labels(tmp_path, inception_weights, of_images):
    write_images(tmp_path / "zoo", 20, (8, 9))
    weights, sha256 = inception_weights
    chosen = {"features": "inception", "inception_weights": weights, "inception_sha256": sha256}
    protocol = of_images(f"folder:{tmp_path / 'zoo'}", ("scrambled",), 8, **chosen)
    preparation = prepare_protocol(protocol, tmp_path / "cache")
    fidelity, _, detection = preparation.protocol.measures
    assert (fidelity.features, fidelity.extractor_sha256) == ("inception", sha256)
    assert detection.classifier_sha256 == ""
    assert "classifier_test_accuracy" not in preparation.references
    evaluator = Evaluator(preparation.protocol, tmp_path / "cache", torch.device("cpu"))
    metrics = evaluator.measures[0].image_metrics(torch.zeros(4, 1, 8, 9))
    assert all(np.isfinite(metrics[f"{name}_inception"]) for name in ("fid", "is", "kid", "precision", "recall"))
    assert not any("lenet" in name for name in metrics)


def test_too_few_samples_are_refused_in_one_sentence(tmp_path, of_images):
    with pytest.raises(InputError, match="3 samples are too few: more than 5 are needed"):
        prepare_protocol(of_images("digits", (), 3), tmp_path)


def test_points_and_images_are_refused_by_each_others_measures(tmp_path, of_images):
    with pytest.raises(InputError, match="data set 'spiral' has points"):
        prepare_protocol(of_images("spiral"), tmp_path)
    with pytest.raises(InputError, match="data set 'digits' has images"):
        prepare_protocol(Protocol(dataset="digits", measures=(PointsSettings(num_samples=9),)), tmp_path)


RESTORING = """
from trainables.measures.base import Measure, MeasureSettings
from trainables.methods.abilities import Restores

class Restoring(Measure):
    class Settings(MeasureSettings):
        measure: str = "restoring:Restoring"

    needs = Restores
"""


def test_a_method_without_an_ability_that_a_measure_needs_is_refused(of_images, tmp_path, monkeypatch):
    (tmp_path / "restoring.py").write_text(RESTORING)
    monkeypatch.syspath_prepend(tmp_path)
    check_abilities("gan", of_images("digits"))
    protocol = Protocol(dataset="digits", measures=[{"measure": "restoring:Restoring"}])
    with pytest.raises(InputError, match="needs a method that restores, and 'gan' does not"):
        check_abilities("gan", protocol)
