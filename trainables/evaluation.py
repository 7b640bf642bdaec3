"""The evaluator: samples once, features once, every metric."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainables.data import Dataset, conform, open_dataset, parent_of, to_tensor
from trainables.data.scramble import scramble_strips
from trainables.methods import Method
from trainables.metrics import auroc, copying, distances_to_training, duplicate_share, load_classifier
from trainables.protocol import Protocol
from trainables.reference import FEATURE_METRICS, Reference, feature_metrics

SCRAMBLED = "scrambled"
"""The out-of-distribution set that is made of the data set's own test images."""


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
        self.extractor = load_classifier(parent_of(protocol.dataset), cache_dir, device)
        if self.extractor.sha256 != protocol.extractor_sha256:
            raise RuntimeError("the classifier in the cache is not the one of this study's protocol.")
        features, _ = self.extractor(to_tensor(self._real_images(), device))
        self.reference = Reference.of(features, protocol, device)
        compared = to_tensor(_choose(self.dataset.test.images, protocol.num_compared, protocol.seed), device)
        self.test_distances = distances_to_training(compared, self.dataset.train.images)
        self.in_distribution = self._test_images(self.dataset)
        self.ood = {name: self._ood_images(name, cache_dir) for name in protocol.ood_sets}

    def __call__(self, method: Method, generator: torch.Generator) -> Evaluation:
        """Evaluate `method`, drawing what samples need from `generator`."""
        samples = method.samples_to_evaluate(self.protocol.num_samples, generator)
        metrics = self.image_metrics(samples)
        in_scores = method.score(self.in_distribution)
        if in_scores is None:
            return Evaluation(metrics, samples, None, {})
        known = in_scores.cpu().numpy()
        ood_scores = {name: _scores(method, images) for name, images in self.ood.items()}
        by_set = {f"auroc_{name}": auroc(known, scores) for name, scores in ood_scores.items()}
        if by_set:
            metrics |= by_set | {"auroc": float(np.mean(list(by_set.values())))}
        return Evaluation(metrics, samples, known, ood_scores)

    def image_metrics(self, images: Tensor) -> dict[str, float]:
        """What can be said of images `(n, C, H, W)` in [-1, 1] alone: by their features, then by their pixels."""
        features, probabilities = self.extractor(images)
        compared = images[: self.protocol.num_compared]
        distances = distances_to_training(compared, self.dataset.train.images)
        return feature_metrics(self.protocol, self.reference, features, probabilities) | {
            "duplicates": duplicate_share(compared, float(np.median(self.test_distances))),
            "copying": copying(distances, self.test_distances),
        }

    def anchors(self) -> dict[str, float]:
        """The ends of the scale: this protocol's metrics of pure noise, of test and of training images.

        The noise is `N(mean, std)` of the training images, per pixel: where the discriminator-only method starts. Of
        the training images, the reference itself, there is what does not compare them with it.
        """
        pixels = to_tensor(self.dataset.train.images, self.device)
        std, mean = torch.std_mean(pixels, dim=0, correction=0)
        generator = torch.Generator().manual_seed(self.protocol.seed)
        noise = torch.randn(self.protocol.num_samples, *self.dataset.shape, generator=generator).to(self.device)
        test = to_tensor(self.dataset.test.images[: self.protocol.num_samples], self.device)
        train = to_tensor(self._real_images(), self.device)
        of_noise, of_test, of_train = map(self.image_metrics, ((mean + std * noise).clamp(-1, 1), test, train))
        alone = {name: of_train[name] for name in of_train if name.startswith(("is_", "entropy_"))}
        ends = {"noise": of_noise, "test_images": of_test, "train_images": alone}
        return {f"{name}_{end}": value for end, metrics in ends.items() for name, value in metrics.items()}

    def _real_images(self) -> np.ndarray:
        """The images that the reference is made of, uint8."""
        return _choose(self.dataset.train.images, self.protocol.num_samples, self.protocol.seed)

    def _test_images(self, dataset: Dataset) -> Tensor:
        chosen = _choose(dataset.test.images, self.protocol.num_scored, self.protocol.seed)
        return to_tensor(conform(chosen, self.dataset.shape), self.device)

    def _ood_images(self, name: str, cache_dir: Path) -> Tensor:
        if name == SCRAMBLED:
            generator = torch.Generator().manual_seed(self.protocol.seed)
            return scramble_strips(self.in_distribution, 0.5, generator)
        return self._test_images(open_dataset(name, cache_dir))


def image_metric_names(extractor: str, ood_sets: tuple[str, ...]) -> tuple[str, ...]:
    """The metrics of a trial on images, of which those of scores need a method that has some."""
    of_scores = ("auroc", *(f"auroc_{name}" for name in ood_sets)) if ood_sets else ()
    return (*(f"{name}_{extractor}" for name in FEATURE_METRICS), "duplicates", "copying", *of_scores)


def _choose(images: np.ndarray, n: int, seed: int) -> np.ndarray:
    """`n` images without replacement, all of them where there are no more."""
    if len(images) <= n:
        return images
    chosen = np.random.default_rng(seed).choice(len(images), n, replace=False)
    return images[np.sort(chosen)]


def _scores(method: Method, images: Tensor) -> np.ndarray:
    scores = method.score(images)
    assert scores is not None
    return scores.cpu().numpy()
