"""How well a method classifies the test examples, beside classifiers that are trained with as few labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from trainables.data.cache import open_dataset
from trainables.data.dataset import Dataset
from trainables.data.labelled import draw_labelled
from trainables.data.tensors import to_tensor
from trainables.measures.base import Measure, Measured, Prepared
from trainables.measures.image_figures import save_confusion
from trainables.measures.label_baselines import baseline_accuracies
from trainables.measures.settings import ClassificationSettings
from trainables.measures.subject import Subject
from trainables.methods.abilities import Classifies
from trainables.metrics.classification import accuracy, calibration_error, log_likelihood


class Classification(Measure):
    """Classifies all test examples.

    How many labels a method sees is a setting of the method, and so it differs between the trials of a study, which
    share the reference values. So the settings of the measure name several numbers, and a reference value has its
    number at the end of its name. The method draws its labels as the references do (`trainables.data.labelled`).
    """

    Settings = ClassificationSettings
    needs = Classifies

    @classmethod
    def prepare(cls, settings: ClassificationSettings, dataset: str, cache_dir: Path) -> Prepared:
        opened = open_dataset(dataset, cache_dir)
        for number in settings.labels:
            draw_labelled(opened, number, 0)  # refuses what cannot be drawn
        return Prepared(settings)

    def __init__(
        self, settings: ClassificationSettings, dataset: Dataset, cache_dir: Path, device: torch.device
    ) -> None:
        self.settings = settings
        self.dataset = dataset
        self.device = device

    def __call__(self, subject: Subject) -> Measured:
        labels = self._labels()
        probabilities = subject.method.classify(to_tensor(self.dataset.test.examples, self.device)).cpu().numpy()
        metrics = {
            "accuracy": accuracy(probabilities, labels),
            "calibration_error": calibration_error(probabilities, labels),
            "log_likelihood": log_likelihood(probabilities, labels),
        }
        return Measured(metrics, probabilities)

    def references(self) -> dict[str, float]:
        """Accuracies of scikit-learn's classifiers with each number of labels, means over the draws."""
        found = baseline_accuracies(self.dataset, self.settings.labels, self.settings.draws)
        return {f"accuracy_{name}": value for name, value in found.items()}

    def draw(self, measured: Measured, folder: Path) -> None:
        """Write `confusion.png`."""
        save_confusion(measured.seen.argmax(1), self._labels(), folder / "confusion.png")

    def _labels(self) -> np.ndarray:
        labels = self.dataset.test.labels
        assert labels is not None
        return labels
