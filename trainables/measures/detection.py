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
from trainables.errors import InputError
from trainables.extractors.by_name import load_extractor, prepare_extractor
from trainables.measures.base import Measure, Measured, Prepared
from trainables.measures.image_figures import save_score_histograms
from trainables.measures.nearest import distances_to_training
from trainables.measures.settings import SCRAMBLED, DetectionSettings
from trainables.measures.subject import Subject
from trainables.methods.abilities import Scores
from trainables.metrics.ood import detection

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
        complete = {"ood_sets": tuple(found), "classifier_sha256": _classifier_sha256(dataset, cache_dir)}
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
                found[f"{metric}_{name}"] = interval.value
                found[f"{metric}_{name}_low"] = interval.low
                found[f"{metric}_{name}_high"] = interval.high
        if by_set:
            found["auroc"] = float(np.mean([found[f"auroc_{name}"] for name in by_set]))
        return found

    def references(self) -> dict[str, float]:
        """AUROC of scores without a generative model. A method that is not better has learned nothing for detection.

        "intensity" is how near the mean of an image's pixels is to the mean of the training images, "nearest" is how
        near the nearest training image is (Euclidean), "softmax" is the classifier's largest class probability.
        """
        # The mean of the bytes: the whole training set as floats would need too much memory.
        mean = float(self.dataset.train.examples.mean()) / 127.5 - 1.0
        simple: dict[str, Score] = {
            "intensity": lambda images: -(images.mean(dim=(1, 2, 3)) - mean).abs(),
            "nearest": lambda images: -torch.from_numpy(distances_to_training(images, self.dataset.train.examples)),
        }
        if self.settings.classifier_sha256:
            name, sha256 = self.dataset.name, self.settings.classifier_sha256
            classifier = load_extractor("lenet", sha256, name, self.cache_dir, self.device)
            simple["softmax"] = lambda images: torch.from_numpy(classifier(images)[1].max(axis=1))
        return {
            f"{metric}_{baseline}": value
            for baseline, score in simple.items()
            for metric, value in self.metrics(*self.scores(score)).items()
            if metric.startswith("auroc")
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


def _classifier_sha256(dataset: str, cache_dir: Path) -> str:
    """The checksum of the data set's classifier, empty if it cannot have one."""
    try:
        return prepare_extractor("lenet", dataset, cache_dir)[0].sha256
    except InputError:
        return ""
