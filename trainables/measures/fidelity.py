"""The evaluator: samples once, features once, every metric."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainables.data.cache import open_dataset
from trainables.data.subset import choose
from trainables.data.tensors import to_tensor
from trainables.extractors.by_name import load_extractor
from trainables.measures.detection import DETECTION_METRICS, OodSuite
from trainables.measures.reference import FEATURE_METRICS, Reference, feature_metrics
from trainables.measures.reference_cache import ReferenceKey, cached_reference
from trainables.methods import Method
from trainables.metrics.collapse import copying, distances_to_training, duplicate_share
from trainables.protocol import Protocol


@dataclass(frozen=True)
class Evaluation:
    """One evaluation: the metrics, and what pictures are made of."""

    metrics: dict[str, float]
    samples: Tensor
    in_scores: np.ndarray | None
    ood_scores: dict[str, np.ndarray]


class Evaluator:
    """Measures methods on one data set under one protocol; made once per process, used for many trials."""

    def __init__(self, protocol: Protocol, cache_dir: Path, device: torch.device) -> None:
        self.protocol = protocol
        self.device = device
        self.dataset = open_dataset(protocol.dataset, cache_dir)
        self.extractor = load_extractor(
            protocol.extractor, protocol.extractor_sha256, protocol.dataset, cache_dir, device
        )
        key = ReferenceKey.of(protocol, self._real_images())
        self.reference = cached_reference(key, cache_dir, self._make_reference, device)
        compared = to_tensor(choose(self.dataset.test.examples, protocol.num_compared, protocol.seed), device)
        self.test_distances = distances_to_training(compared, self.dataset.train.examples)
        self.ood = OodSuite(protocol, self.dataset, cache_dir, device)

    def __call__(self, method: Method, generator: torch.Generator) -> Evaluation:
        """Evaluate `method`, drawing what samples need from `generator`."""
        samples = method.samples_to_evaluate(self.protocol.num_samples, generator)
        metrics = self.image_metrics(samples)
        scores = self.ood.scores(method.score)
        if scores is None:
            return Evaluation(metrics, samples, None, {})
        known, by_set = scores
        return Evaluation(metrics | self.ood.metrics(known, by_set), samples, known, by_set)

    def image_metrics(self, images: Tensor) -> dict[str, float]:
        """What can be said of images `(n, C, H, W)` in [-1, 1] alone: by their features, then by their pixels."""
        features, probabilities = self.extractor(images)
        compared = images[: self.protocol.num_compared]
        distances = distances_to_training(compared, self.dataset.train.examples)
        return feature_metrics(self.protocol, self.reference, features, probabilities) | {
            "duplicates": duplicate_share(compared, float(np.median(self.test_distances))),
            "copying": copying(distances, self.test_distances),
        }

    def anchors(self) -> dict[str, float]:
        """The ends of the scale: this protocol's metrics of pure noise, of test and of training images; baselines.

        The noise is `N(mean, std)` of the training images, per pixel: where the discriminator-only method starts. Of
        the training images, the reference itself, there is what does not compare them with it.
        """
        pixels = to_tensor(self.dataset.train.examples, self.device)
        std, mean = torch.std_mean(pixels, dim=0, correction=0)
        generator = torch.Generator().manual_seed(self.protocol.seed)
        noise = torch.randn(self.protocol.num_samples, *self.dataset.shape, generator=generator).to(self.device)
        test = to_tensor(self.dataset.test.examples[: self.protocol.num_samples], self.device)
        train = to_tensor(self._real_images(), self.device)
        of_noise, of_test, of_train = map(self.image_metrics, ((mean + std * noise).clamp(-1, 1), test, train))
        alone = {name: of_train[name] for name in of_train if name.startswith(("is_", "entropy_"))}
        ends = {"noise": of_noise, "test_images": of_test, "train_images": alone}
        by_end = {f"{name}_{end}": value for end, metrics in ends.items() for name, value in metrics.items()}
        return by_end | self.ood.baselines(lambda images: self.extractor(images)[1])

    def _make_reference(self) -> Reference:
        features, _ = self.extractor(to_tensor(self._real_images(), self.device))
        return Reference.of(features, self.protocol, self.device)

    def _real_images(self) -> np.ndarray:
        """The images that the reference is made of, uint8."""
        return choose(self.dataset.train.examples, self.protocol.num_samples, self.protocol.seed)


def image_metric_names(extractor: str, ood_sets: tuple[str, ...]) -> tuple[str, ...]:
    """The metrics of a trial on images, of which those of scores need a method that has some.

    The ends of their intervals, `<name>_low` and `<name>_high`, are not among them.
    """
    of_scores = (
        ("auroc", *(f"{metric}_{name}" for metric in DETECTION_METRICS for name in ood_sets)) if ood_sets else ()
    )
    return (*(f"{name}_{extractor}" for name in FEATURE_METRICS), "duplicates", "copying", *of_scores)
