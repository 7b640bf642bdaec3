"""The scores with which a method's own score is compared in detection. None needs a generative model."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainables.data.dataset import Dataset
from trainables.data.subset import choose
from trainables.data.tensors import to_tensor
from trainables.extractors.base import extract_array
from trainables.extractors.by_name import load_classifier_of
from trainables.measures.nearest import distances_to_training
from trainables.measures.settings import DetectionSettings
from trainables.metrics.detectors import (
    Scorer,
    energy_score,
    mahalanobis,
    maximum_softmax,
    neighbour_score,
    residual,
    vim,
)

Score = Callable[[Tensor], Tensor]
"""Images `(n, C, H, W)` in [-1, 1] to scores `(n,)`, higher = more in-distribution."""

NUM_TRAINING = 5000
"""Training images at most that detectors compare with, or take means and covariances of."""

COMPONENTS = 50
"""Principal components of the pixels; `residual` is what they leave."""

FEATURE_SHARE = 4
"""ViM's principal components are the number of features, divided by this."""


def of_pixels(dataset: Dataset, seed: int = 0) -> dict[str, Score]:
    """The detectors without a network.

    "intensity" is how near the mean of the pixels is to the training images' mean, "nearest" how near the nearest
    training image is (Euclidean), "residual" how much the first principal components of the training images explain.
    """
    # Of bytes, so that not all of the training set is held as floats.
    mean = float(dataset.train.examples.mean()) / 127.5 - 1.0
    plane = residual(to_tensor(choose(dataset.train.examples, NUM_TRAINING, seed)).flatten(1).numpy(), COMPONENTS)
    return {
        "intensity": lambda images: -(images.mean(dim=(1, 2, 3)) - mean).abs(),
        "nearest": lambda images: -torch.from_numpy(distances_to_training(images, dataset.train.examples)),
        "residual": lambda images: torch.from_numpy(plane(images.flatten(1).cpu().numpy())),
    }


def of_classifier(
    dataset: Dataset, settings: DetectionSettings, cache_dir: Path, device: torch.device
) -> dict[str, Score]:
    """The detectors that use the data set's classifier.

    "softmax" is the largest class probability, "energy" minus the energy of the logits, "neighbour" how near the
    nearest feature of a training image is, "mahalanobis" how near the nearest class mean is, "vim" the energy with the
    residual of the features. "mahalanobis" is left out where the training images have no labels.
    """
    classifier = load_classifier_of(dataset.name, settings.classifier_sha256, cache_dir, device)
    training = extract_array(classifier, choose(dataset.train.examples, NUM_TRAINING, settings.seed))[0]
    scorers: dict[str, Scorer] = {
        "softmax": lambda features: maximum_softmax(classifier.logits(features)),
        "energy": lambda features: energy_score(classifier.logits(features)),
        "neighbour": lambda features: neighbour_score(features, training),
        "vim": vim(training, *classifier.output_layer(), training.shape[1] // FEATURE_SHARE),
    }
    if dataset.train.labels is not None:
        scorers["mahalanobis"] = mahalanobis(training, choose(dataset.train.labels, NUM_TRAINING, settings.seed))

    @cache
    def features(images: Tensor) -> np.ndarray:
        """Each set's features are needed by all detectors. A tensor is a key by its identity."""
        return classifier(images)[0]

    def of_images(scorer: Scorer) -> Score:
        return lambda images: torch.from_numpy(scorer(features(images)))

    return {name: of_images(scorer) for name, scorer in scorers.items()}
