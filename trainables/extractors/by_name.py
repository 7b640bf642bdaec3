"""Feature extractors by name: prepared by the driver, loaded by the trials."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch

from trainables.data.cache import prepare
from trainables.data.sources import parent_of
from trainables.errors import InputError
from trainables.extractors.base import Extractor
from trainables.extractors.efficientnet import load_efficientnet
from trainables.extractors.inception import load_inception, prepare_inception
from trainables.extractors.lenet import ClassifierExtractor, load_classifier, prepare_classifier

AnyExtractor = TypeVar("AnyExtractor", bound=Extractor)


def prepare_extractor(
    features: str,
    dataset: str,
    cache_dir: Path,
    inception_weights: Path | None = None,
    inception_sha256: str | None = None,
) -> tuple[Extractor, float | None]:
    """The extractor `features` for a data set, on the CPU, and the test accuracy of its classifier. For the driver.

    `inception_weights` is the file of Inception's weights and `inception_sha256` its checksum, if not pytorch-fid's.
    One class of a data set has the classifier of the whole set. Raises `InputError` if there is no such extractor.
    """
    if features == "inception":
        return prepare_inception(cache_dir, inception_weights, inception_sha256), None
    if features == "efficientnet":
        return load_efficientnet(torch.device("cpu")), None
    classifier = prepare_classifier(prepare(parent_of(dataset), cache_dir), cache_dir)
    return classifier, classifier.test_accuracy


def prepare_classifier_of(dataset: str, cache_dir: Path) -> str:
    """The checksum of the classifier of a data set, empty where it cannot have one. For the driver."""
    try:
        return prepare_classifier(prepare(parent_of(dataset), cache_dir), cache_dir).sha256
    except InputError:
        return ""


def load_extractor(features: str, sha256: str, dataset: str, cache_dir: Path, device: torch.device) -> Extractor:
    """The extractor that the driver prepared, on `device`. For trials.

    Raises `InputError` if it is absent or damaged, `RuntimeError` if its checksum is not `sha256`.
    """
    if features == "inception":
        return load_inception(sha256, cache_dir, device)
    if features == "efficientnet":
        return _of_checksum(load_efficientnet(device), sha256)
    return load_classifier_of(dataset, sha256, cache_dir, device)


def load_classifier_of(dataset: str, sha256: str, cache_dir: Path, device: torch.device) -> ClassifierExtractor:
    """The classifier of a data set that the driver prepared, on `device`. For trials. Raises as `load_extractor`."""
    return _of_checksum(load_classifier(parent_of(dataset), cache_dir, device), sha256)


def _of_checksum(extractor: AnyExtractor, sha256: str) -> AnyExtractor:
    if extractor.sha256 != sha256:
        raise RuntimeError(f"the weights of {extractor.name} are not those of this study's protocol.")
    return extractor
