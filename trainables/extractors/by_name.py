"""Feature extractors by name: prepared by the driver, loaded by the trials."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from trainables.data.cache import prepare
from trainables.data.sources import parent_of
from trainables.extractors.base import Extractor
from trainables.extractors.inception import load_inception, prepare_inception
from trainables.extractors.lenet import load_classifier, prepare_classifier

ExtractorName = Literal["inception", "lenet"]


@dataclass(frozen=True)
class ExtractorChoice:
    """Which extractor, and for Inception where its weights are and what their checksum is, if not pytorch-fid's."""

    name: ExtractorName = "lenet"
    inception_weights: Path | None = None
    inception_sha256: str | None = None


def prepare_extractor(choice: ExtractorChoice, dataset_name: str, cache_dir: Path) -> tuple[Extractor, float | None]:
    """The extractor for a data set, on the CPU, and the test accuracy of its classifier. For the driver.

    The classifier of one class of a data set is that of the whole set. Raises `InputError` where it cannot be had.
    """
    if choice.name == "inception":
        return prepare_inception(cache_dir, choice.inception_weights, choice.inception_sha256), None
    classifier = prepare_classifier(prepare(parent_of(dataset_name), cache_dir), cache_dir)
    return classifier, classifier.test_accuracy


def load_extractor(name: str, sha256: str, dataset_name: str, cache_dir: Path, device: torch.device) -> Extractor:
    """The extractor that the driver prepared, on `device`. For trials.

    Raises `InputError` where it is absent or damaged, `RuntimeError` where it is another one.
    """
    if name == "inception":
        return load_inception(sha256, cache_dir, device)
    classifier = load_classifier(parent_of(dataset_name), cache_dir, device)
    if classifier.sha256 != sha256:
        raise RuntimeError("the classifier in the cache is not the one of this study's protocol.")
    return classifier
