"""Feature extractors by name: prepared by the driver, loaded by the trials."""

from __future__ import annotations

from pathlib import Path

import torch

from trainables.data.cache import prepare
from trainables.data.sources import parent_of
from trainables.extractors.base import Extractor
from trainables.extractors.inception import load_inception, prepare_inception
from trainables.extractors.lenet import load_classifier, prepare_classifier


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
    classifier = prepare_classifier(prepare(parent_of(dataset), cache_dir), cache_dir)
    return classifier, classifier.test_accuracy


def load_extractor(features: str, sha256: str, dataset: str, cache_dir: Path, device: torch.device) -> Extractor:
    """The extractor that the driver prepared, on `device`. For trials.

    Raises `InputError` if it is absent or damaged, `RuntimeError` if its checksum is not `sha256`.
    """
    if features == "inception":
        return load_inception(sha256, cache_dir, device)
    classifier = load_classifier(parent_of(dataset), cache_dir, device)
    if classifier.sha256 != sha256:
        raise RuntimeError("the classifier in the cache is not the one of this study's protocol.")
    return classifier
