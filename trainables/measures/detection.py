"""How well a method's score tells test images from images of other data sets (out-of-distribution detection)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainables.data.cache import is_at_hand, open_dataset, prepare
from trainables.data.conform import conform
from trainables.data.dataset import Dataset
from trainables.data.scramble import scramble_strips
from trainables.data.sources import parent_of
from trainables.data.subset import choose
from trainables.data.tensors import to_tensor
from trainables.extractors.base import extract_array
from trainables.extractors.by_name import load_classifier_of, prepare_classifier_of
from trainables.measures.base import Measure, Measured, Prepared
from trainables.measures.image_figures import save_score_histograms
from trainables.measures.nearest import distances_to_training
from trainables.measures.settings import SCRAMBLED, DetectionSettings, set_name
from trainables.measures.subject import Subject
from trainables.methods.abilities import Scores
from trainables.metrics.detectors import energy_score, maximum_softmax, neighbour_score
from trainables.metrics.ood import detection

NUM_NEIGHBOURS = 5000
"""Training images at most whose features "neighbour" compares with."""

Score = Callable[[Tensor], Tensor]
"""Images `(n, C, H, W)` in [-1, 1] to scores `(n,)`, higher = more in-distribution."""

SetScores = tuple[np.ndarray, dict[str, np.ndarray]]
"""The scores of the test images, and the scores of each out-of-distribution set."""


class Detection(Measure):
    """Scores test images, which are the positive class, and images of the out-of-distribution sets."""

    Settings = DetectionSettings
    needs = Scores

    @classmethod
    def prepare(cls, settings: DetectionSettings, dataset: str, cache_dir: Path) -> Prepared:
        others = [name for name in settings.ood_sets if name != parent_of(dataset)]
        found = [n for n in others if n == SCRAMBLED or settings.download or is_at_hand(n, cache_dir)]
        for name in found:
            if name != SCRAMBLED:
                prepare(name, cache_dir)
        left_out = [name for name in others if name not in found]
        notes = [f"left out of AUROC, not on this machine: {', '.join(left_out)}"] if left_out else []
        complete = {"ood_sets": tuple(found), "classifier_sha256": prepare_classifier_of(dataset, cache_dir)}
        return Prepared(DetectionSettings(**settings.model_dump() | complete), tuple(notes))

    def __init__(self, settings: DetectionSettings, dataset: Dataset, cache_dir: Path, device: torch.device) -> None:
        self.settings = settings
        self.dataset = dataset
        self.device = device
        self.cache_dir = cache_dir
        self.known = self._test_images(dataset)
        self.sets = {name: self._images(name) for name in settings.ood_sets}

    def __call__(self, subject: Subject) -> Measured:
        scores = self.scores(subject.method.score)
        return Measured(self.metrics(*scores), scores)

    def scores(self, score: Score) -> SetScores:
        """The scores of the test images, and of each set."""
        return score(self.known).cpu().numpy(), {n: score(images).cpu().numpy() for n, images in self.sets.items()}

    def metrics(self, known: np.ndarray, by_set: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The detection metrics of each set with their 95% intervals, and the mean of `auroc` over the sets."""
        found: dict[str, float] = {}
        for name, scores in by_set.items():
            for metric, interval in detection(known, scores, self.settings.resamples, seed=self.settings.seed).items():
                full_name = f"{metric}_{set_name(name)}"
                found[full_name] = interval.value
                found[f"{full_name}_low"] = interval.low
                found[f"{full_name}_high"] = interval.high
        if by_set:
            # Methods are trained to reject scrambled images, so these say nothing of sets that are new to them.
            new = [name for name in by_set if name != SCRAMBLED] or [SCRAMBLED]
            found["auroc"] = float(np.mean([found[f"auroc_{set_name(name)}"] for name in new]))
        return found

    def references(self) -> dict[str, float]:
        """AUROC of scores that need no generative model: a method that is not above them has learned nothing about it.

        "intensity" is how near the mean of the pixels is to the training images' mean, "nearest" how near the nearest
        training image is (Euclidean). By the data set's classifier, "softmax" is the largest class probability,
        "energy" minus the energy of its logits, "neighbour" how near the nearest feature of a training image is.
        """
        # Of bytes, so that not all of the training set is held as floats.
        mean = float(self.dataset.train.examples.mean()) / 127.5 - 1.0
        detectors: dict[str, SetScores] = {
            "intensity": self.scores(lambda images: -(images.mean(dim=(1, 2, 3)) - mean).abs()),
            "nearest": self.scores(
                lambda images: -torch.from_numpy(distances_to_training(images, self.dataset.train.examples))
            ),
            **(self._classifier_scores() if self.settings.classifier_sha256 else {}),
        }
        return {
            f"{metric}_{detector}": value
            for detector, scores in detectors.items()
            for metric, value in self.metrics(*scores).items()
            if metric.startswith("auroc")
        }

    def _classifier_scores(self) -> dict[str, SetScores]:
        """The scores of detectors that use the data set's classifier."""
        name, sha256 = self.dataset.name, self.settings.classifier_sha256
        classifier = load_classifier_of(name, sha256, self.cache_dir, self.device)
        known, *others = (classifier(images)[0] for images in (self.known, *self.sets.values()))
        training = extract_array(classifier, choose(self.dataset.train.examples, NUM_NEIGHBOURS, self.settings.seed))[0]
        detectors: dict[str, Callable[[np.ndarray], np.ndarray]] = {
            "softmax": lambda features: maximum_softmax(classifier.logits(features)),
            "energy": lambda features: energy_score(classifier.logits(features)),
            "neighbour": lambda features: neighbour_score(features, training),
        }
        return {
            detector: (score(known), dict(zip(self.sets, map(score, others), strict=True)))
            for detector, score in detectors.items()
        }

    def draw(self, measured: Measured, folder: Path) -> None:
        """Write `scores.png`."""
        known, by_set = measured.seen
        save_score_histograms(known, by_set, folder / "scores.png")

    def _test_images(self, dataset: Dataset) -> Tensor:
        chosen = choose(dataset.test.examples, self.settings.num_scored, self.settings.seed)
        return to_tensor(conform(chosen, self.dataset.shape), self.device)

    def _images(self, name: str) -> Tensor:
        if name == SCRAMBLED:
            return scramble_strips(self.known, 0.5, torch.Generator().manual_seed(self.settings.seed))
        return self._test_images(open_dataset(name, self.cache_dir))
