"""The evaluator: samples once, features once, every metric; it owns the protocol that makes numbers comparable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from trainables.data import Dataset, conform, open_dataset, parent_of, to_tensor
from trainables.data.scramble import scramble_strips
from trainables.methods import Method
from trainables.metrics import auroc, frechet_distance, inception_score, load_classifier, reference_statistics

SCRAMBLED = "scrambled"
"""The out-of-distribution set that is made of the data set's own test images."""


class Protocol(BaseModel):
    """What a number depends on besides the model. Numbers of different protocols must not be ranked together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    extractor: str = "lenet"
    extractor_sha256: str
    num_samples: int = Field(ge=2, description="generated images, and as many real ones where there are enough")
    reference_split: str = "train"
    inception_splits: int = Field(1, ge=1)
    ood_sets: tuple[str, ...] = ()
    num_scored: int = Field(1000, ge=2, description="test images scored per set for AUROC at most")
    seed: int = Field(0, ge=0, description="picks the real images and scrambles")

    @property
    def sha256(self) -> str:
        """The hash under which a run names its protocol."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


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
        real = _choose(self.dataset.train.images, protocol.num_samples, protocol.seed)
        features, _ = self.extractor(to_tensor(real, device))
        self.reference = reference_statistics(features)
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
        """Frechet distance and Inception Score of images `(n, C, H, W)` in [-1, 1]."""
        features, probabilities = self.extractor(images)
        score, _ = inception_score(probabilities, self.protocol.inception_splits)
        name = self.protocol.extractor
        return {f"fid_{name}": frechet_distance(self.reference, features), f"is_{name}": score}

    def anchors(self) -> dict[str, float]:
        """The ends of the scale: this protocol's Frechet distance of pure noise, and of the test images.

        The noise is `N(mean, std)` of the training images, per pixel: where the discriminator-only method starts.
        """
        pixels = to_tensor(self.dataset.train.images, self.device)
        std, mean = torch.std_mean(pixels, dim=0, correction=0)
        generator = torch.Generator().manual_seed(self.protocol.seed)
        noise = torch.randn(self.protocol.num_samples, *self.dataset.shape, generator=generator).to(self.device)
        fid = f"fid_{self.protocol.extractor}"
        test = to_tensor(self.dataset.test.images[: self.protocol.num_samples], self.device)
        return {
            f"{fid}_noise": self.image_metrics((mean + std * noise).clamp(-1, 1))[fid],
            f"{fid}_test_images": self.image_metrics(test)[fid],
        }

    def _test_images(self, dataset: Dataset) -> Tensor:
        chosen = _choose(dataset.test.images, self.protocol.num_scored, self.protocol.seed)
        return to_tensor(conform(chosen, self.dataset.shape), self.device)

    def _ood_images(self, name: str, cache_dir: Path) -> Tensor:
        if name == SCRAMBLED:
            generator = torch.Generator().manual_seed(self.protocol.seed)
            return scramble_strips(self.in_distribution, 0.5, generator)
        return self._test_images(open_dataset(name, cache_dir))


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
