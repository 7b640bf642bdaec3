"""What the driver prepares for data sets that the classifier cannot be trained on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.data.cache import prepare
from trainables.errors import InputError
from trainables.extractors import lenet_training as classifier_training
from trainables.extractors.by_name import ExtractorChoice
from trainables.extractors.lenet import prepare_classifier
from trainables.measures.fidelity import Evaluator
from trainables.preparation import prepare_protocol


@pytest.fixture(autouse=True)
def _one_epoch(monkeypatch):
    monkeypatch.setattr(classifier_training, "MAX_UPDATES", 1)
    monkeypatch.setattr(classifier_training, "MIN_EPOCHS", 1)


def write_images(folder, number, size):
    folder.mkdir(parents=True)
    for i in range(number):
        pixels = np.random.default_rng(i).integers(0, 256, size, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")


def test_one_class_is_measured_with_its_parents_classifier(tmp_path):
    preparation = prepare_protocol("digits:3", ("digits", "scrambled"), 50, tmp_path)
    of_parent = prepare_classifier(prepare("digits", tmp_path), tmp_path)
    assert preparation.protocol.dataset == "digits:3"
    assert preparation.protocol.extractor_sha256 == of_parent.sha256
    assert preparation.protocol.ood_sets == ("scrambled",)
    evaluator = Evaluator(preparation.protocol, tmp_path, torch.device("cpu"))
    assert set(evaluator.dataset.train.labels) == {3}
    assert [path.name for path in (tmp_path / "classifiers").glob("*.safetensors")] == ["digits.safetensors"]


def test_a_folder_by_class_is_prepared_from_end_to_end(tmp_path):
    write_images(tmp_path / "zoo/ape", 10, (8, 9, 3))
    write_images(tmp_path / "zoo/bee", 10, (8, 9, 3))
    name = f"folder:{tmp_path / 'zoo'}"
    protocol = prepare_protocol(name, ("scrambled",), 10, tmp_path / "cache").protocol
    assert protocol.dataset == name
    evaluator = Evaluator(protocol, tmp_path / "cache", torch.device("cpu"))
    metrics = evaluator.image_metrics(torch.zeros(4, 3, 8, 9))
    assert {"fid_lenet", "is_lenet", "kid_lenet", "precision_lenet", "recall_lenet"} < metrics.keys()


@pytest.mark.parametrize(
    ("classes", "size", "sentence"),
    [
        ([""], (8, 8), "has no labels .*sub-folder per class"),
        (["ape"], (8, 8), "has one class only"),
        (["ape", "bee"], (3, 8), "images of 3x8 cannot be pooled twice: 4x4 is the least"),
    ],
)
def test_what_cannot_be_classified_is_refused_in_one_sentence(classes, size, sentence, tmp_path):
    for name in classes:
        write_images(tmp_path / "zoo" / name, 5, size)
    with pytest.raises(InputError, match=f"data set 'folder:{tmp_path / 'zoo'}' .*{sentence}") as caught:
        prepare_protocol(f"folder:{tmp_path / 'zoo'}", (), 4, tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "cache/classifiers").exists() or not list((tmp_path / "cache/classifiers").glob("*.saf*"))


def test_inception_measures_images_that_have_no_labels(tmp_path, inception_weights):
    write_images(tmp_path / "zoo", 20, (8, 9))
    weights, sha256 = inception_weights
    choice = ExtractorChoice("inception", weights, sha256)
    preparation = prepare_protocol(f"folder:{tmp_path / 'zoo'}", ("scrambled",), 8, tmp_path / "cache", choice)
    assert (preparation.protocol.extractor, preparation.protocol.extractor_sha256) == ("inception", sha256)
    assert preparation.classifier_accuracy is None
    evaluator = Evaluator(preparation.protocol, tmp_path / "cache", torch.device("cpu"))
    metrics = evaluator.image_metrics(torch.zeros(4, 1, 8, 9))
    assert all(np.isfinite(metrics[f"{name}_inception"]) for name in ("fid", "is", "kid", "precision", "recall"))
    assert not any("lenet" in name for name in metrics)


def test_too_few_samples_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(InputError, match="3 samples are too few: more than 3 are needed"):
        prepare_protocol("digits", (), 3, tmp_path)
