"""How well a method's score tells test images from images of other data sets (out-of-distribution detection)."""

from __future__ import annotations

from collections.abc import Mapping
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
from trainables.extractors.by_name import prepare_classifier_of
from trainables.measures.base import Measure, Measured, Prepared
from trainables.measures.detectors import Score, of_classifier, of_pixels
from trainables.measures.image_figures import save_score_histograms
from trainables.measures.settings import SCRAMBLED, DetectionSettings, set_name
from trainables.measures.subject import Subject
from trainables.methods.abilities import Scores
from trainables.metrics.ood import detection

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

        `trainables.measures.detectors` says which.
        """
        detectors = of_pixels(self.dataset)
        if self.settings.classifier_sha256:
            detectors |= of_classifier(self.dataset, self.settings, self.cache_dir, self.device)
        return {
            f"{metric}_{detector}": value
            for detector, score in detectors.items()
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
