"""Whether generated images repeat one another or the training images, by Euclidean distance of their pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainables.data.dataset import Dataset
from trainables.data.subset import choose
from trainables.data.tensors import to_tensor
from trainables.measures.base import Measure, Measured
from trainables.measures.fidelity import pixel_noise
from trainables.measures.frames import frame_path
from trainables.measures.image_figures import save_nearest
from trainables.measures.nearest import distances_to_training
from trainables.measures.settings import PixelsSettings
from trainables.measures.subject import Subject
from trainables.methods.abilities import Samples
from trainables.metrics.collapse import copying, duplicate_share

SHOWN = 16
"""Samples in the picture with their nearest training images."""
IN_FRAME = 8
"""Samples in a frame."""


class Pixels(Measure):
    """Counts near-duplicates among samples, and compares how near samples and test images are to training images."""

    Settings = PixelsSettings
    needs = Samples

    def __init__(self, settings: PixelsSettings, dataset: Dataset, cache_dir: Path, device: torch.device) -> None:
        self.settings = settings
        self.dataset = dataset
        self.device = device
        test = to_tensor(choose(dataset.test.examples, settings.num_samples, settings.seed), device)
        self.test_distances = distances_to_training(test, dataset.train.examples)

    def __call__(self, subject: Subject) -> Measured:
        samples = subject.samples(self.settings.num_samples)
        return Measured(self.image_metrics(samples), samples)

    def image_metrics(self, images: Tensor) -> dict[str, float]:
        """The metrics of images `(n, C, H, W)` in [-1, 1]."""
        distances = distances_to_training(images, self.dataset.train.examples)
        return {
            "duplicates": duplicate_share(images, float(np.median(self.test_distances))),
            "copying": copying(distances, self.test_distances),
        }

    def references(self) -> dict[str, float]:
        """The metrics of pixel noise and of test images."""
        n = self.settings.num_samples
        sets = {
            "noise": pixel_noise(self.dataset, n, self.settings.seed, self.device),
            "test_images": to_tensor(self.dataset.test.examples[:n], self.device),
        }
        by_set = {name: self.image_metrics(images) for name, images in sets.items()}
        return {f"{metric}_{name}": value for name, metrics in by_set.items() for metric, value in metrics.items()}

    def draw(self, measured: Measured, folder: Path) -> None:
        """Write `nearest.png`."""
        save_nearest(measured.seen[:SHOWN], self.dataset, folder / "nearest.png")

    def draw_frame(self, measured: Measured, round_number: int, folder: Path) -> None:
        """Write the frame `nearest`."""
        save_nearest(measured.seen[:IN_FRAME], self.dataset, frame_path(folder, "nearest", round_number))
