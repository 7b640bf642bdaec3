"""How similar generated images are to real ones, by an extractor's features: Frechet distance, Inception Score etc."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainables.data.cache import open_dataset
from trainables.data.dataset import Dataset
from trainables.data.statistics import pixel_statistics
from trainables.data.subset import choose
from trainables.extractors.base import Extracted, Extractor, extract_array
from trainables.extractors.by_name import (
    load_classifier_of,
    load_extractor,
    prepare_classifier_of,
    prepare_extractor,
)
from trainables.measures.base import Measure, Measured, Prepared
from trainables.measures.frames import frame_path
from trainables.measures.image_figures import save_sample_grid
from trainables.measures.reference import Reference, feature_metrics
from trainables.measures.reference_cache import ReferenceKey, cached_reference
from trainables.measures.settings import CLASSIFIER_ENTROPY, RESAMPLED, FidelitySettings
from trainables.measures.subject import Subject
from trainables.methods.abilities import Samples
from trainables.metrics.collapse import class_entropy

SHOWN = 64
"""Samples in a picture."""
IN_FRAME = 16
"""Samples in a frame."""


class Fidelity(Measure):
    """Compares the features of generated and of real images. All metrics use the same samples and features."""

    Settings = FidelitySettings
    needs = Samples

    @classmethod
    def prepare(cls, settings: FidelitySettings, dataset: str, cache_dir: Path) -> Prepared:
        extractor, accuracy = prepare_extractor(
            settings.features, dataset, cache_dir, settings.inception_weights, settings.inception_sha256
        )
        complete = {"extractor_version": extractor.version, "extractor_sha256": extractor.sha256}
        if settings.features != "lenet" and not settings.beside_another:
            complete["classifier_sha256"] = prepare_classifier_of(dataset, cache_dir)
        kept = FidelitySettings(**settings.model_dump() | complete)
        notes, values = [], {}
        if accuracy is not None:
            notes.append(f"classifier of {dataset}: test accuracy {accuracy:.4f}")
            values["classifier_test_accuracy"] = accuracy
        opened = open_dataset(dataset, cache_dir)
        num_samples = kept.count(opened)
        if len(opened.test) < num_samples:
            notes.append(
                f"test images are {len(opened.test)} and samples {num_samples}: the Frechet distance of fewer images "
                "is larger"
            )
        return Prepared(kept, tuple(notes), values)

    def __init__(self, settings: FidelitySettings, dataset: Dataset, cache_dir: Path, device: torch.device) -> None:
        self.settings = settings
        self.num_samples = settings.count(dataset)
        self.dataset = dataset
        self.device = device
        self.extractor = load_extractor(settings.features, settings.extractor_sha256, dataset.name, cache_dir, device)
        self.classifier: Extractor | None = None
        if settings.classifier_sha256:
            self.classifier = load_classifier_of(dataset.name, settings.classifier_sha256, cache_dir, device)
        key = ReferenceKey.of(settings, dataset.name, self._real_images())
        self.reference = cached_reference(key, cache_dir, self._make_reference, device)

    def __call__(self, subject: Subject) -> Measured:
        samples = subject.samples(self.num_samples)
        return Measured(self.image_metrics(samples), samples)

    def image_metrics(self, images: Tensor) -> dict[str, float]:
        """The metrics of images `(n, C, H, W)` in [-1, 1]."""
        return self._metrics(lambda extractor: extractor(images))

    def array_metrics(self, images: np.ndarray) -> dict[str, float]:
        """The metrics of images `(n, C, H, W)`, uint8, of which few are held as floats at once."""
        return self._metrics(lambda extractor: extract_array(extractor, images))

    def _metrics(self, extract: Callable[[Extractor], Extracted]) -> dict[str, float]:
        found = feature_metrics(self.settings, self.reference, *extract(self.extractor))
        if self.classifier is None:
            return found
        _, probabilities = extract(self.classifier)
        return found | {CLASSIFIER_ENTROPY: class_entropy(probabilities)}

    def of_new_samples(self, subject: Subject) -> dict[str, float]:
        """The Frechet distance of new samples, with `_resampled` after its name."""
        name = self.settings.families()["fid"]
        return {name + RESAMPLED: self.image_metrics(subject.samples(self.num_samples))[name]}

    def references(self) -> dict[str, float]:
        """The metrics of pixel noise, of test images and of the training images.

        The noise is `N(mean, std)` with the training images' mean and deviation of each pixel, from which the
        discriminator-only method starts. Metrics that compare with the training images are left out for these.
        """
        noise = pixel_noise(self.dataset, self.num_samples, self.settings.seed, self.device)
        test = choose(self.dataset.test.examples, self.num_samples, self.settings.seed)
        real = self.array_metrics(self._real_images())
        by_set = {
            "noise": self.image_metrics(noise),
            "test_images": self.array_metrics(test),
            "train_images": {name: value for name, value in real.items() if name.startswith(("is_", "entropy_"))},
        }
        return {
            f"{metric}_{name}": value
            for name, metrics in by_set.items()
            for metric, value in metrics.items()
            if metric != self.settings.splits_deviation
        }

    def draw(self, measured: Measured, folder: Path) -> None:
        """Write `samples.png`, unless the measure before this one does."""
        if not self.settings.beside_another:
            save_sample_grid(measured.seen[:SHOWN], folder / "samples.png")

    def draw_frame(self, measured: Measured, round_number: int, folder: Path) -> None:
        """Write the frame `samples`, unless the measure before this one does."""
        if not self.settings.beside_another:
            save_sample_grid(measured.seen[:IN_FRAME], frame_path(folder, "samples", round_number), columns=4)

    def _make_reference(self) -> Reference:
        features, _ = extract_array(self.extractor, self._real_images())
        return Reference.of(features, self.settings, self.device)

    def _real_images(self) -> np.ndarray:
        """The real images that samples are compared with, uint8."""
        return choose(self.dataset.train.examples, self.num_samples, self.settings.seed)


def pixel_noise(dataset: Dataset, n: int, seed: int, device: torch.device) -> Tensor:
    """`n` images of noise with each pixel's mean and deviation in the training images, clamped to [-1, 1]."""
    mean, variance = pixel_statistics(dataset.train.examples, device)
    noise = torch.randn(n, *dataset.shape, generator=torch.Generator().manual_seed(seed)).to(device)
    return (mean + variance.sqrt() * noise).clamp(-1, 1)
