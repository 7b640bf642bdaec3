"""How much contrast generated images have, and how blurred they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from trainables.data.dataset import Dataset
from trainables.data.subset import choose
from trainables.data.tensors import to_tensor
from trainables.measures.base import Measure, Measured
from trainables.measures.fidelity import pixel_noise
from trainables.measures.settings import SharpnessSettings
from trainables.measures.subject import Subject
from trainables.methods.abilities import Samples
from trainables.metrics.sharpness import blur, contrast


class Sharpness(Measure):
    """Looks at each generated image by itself."""

    Settings = SharpnessSettings
    needs = Samples

    def __init__(self, settings: SharpnessSettings, dataset: Dataset, cache_dir: Path, device: torch.device) -> None:
        self.settings = settings
        self.dataset = dataset
        self.device = device

    def __call__(self, subject: Subject) -> Measured:
        return Measured(_metrics(subject.samples(self.settings.num_samples).cpu().numpy()))

    def references(self) -> dict[str, float]:
        """The metrics of pixel noise and of test images."""
        n, seed = self.settings.num_samples, self.settings.seed
        sets = {
            "noise": pixel_noise(self.dataset, n, seed, self.device).cpu().numpy(),
            "test_images": to_tensor(choose(self.dataset.test.examples, n, seed)).numpy(),
        }
        return {
            f"{metric}_{name}": value for name, images in sets.items() for metric, value in _metrics(images).items()
        }


def _metrics(images: np.ndarray) -> dict[str, float]:
    return {"contrast": contrast(images), "blur": blur(images)}
