"""Out-of-distribution sets of a data set: their images, how well a score detects them, and what simple scores do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainables.data.cache import open_dataset
from trainables.data.conform import conform
from trainables.data.dataset import Dataset
from trainables.data.scramble import scramble_strips
from trainables.data.subset import choose
from trainables.data.tensors import to_tensor
from trainables.metrics.collapse import distances_to_training
from trainables.metrics.ood import detection
from trainables.protocol import Protocol

SCRAMBLED = "scrambled"
"""The out-of-distribution set that is made of the data set's own test images."""

DETECTION_METRICS = ("auroc", "aupr_in", "aupr_out", "fpr95")
"""What is measured per set; `auroc` also in the mean over the sets."""

Score = Callable[[Tensor], Tensor | None]
"""Images `(n, C, H, W)` in [-1, 1] to scores `(n,)`, higher = more in-distribution; None without such a score."""


class OodSuite:
    """The test images of a data set, the positive class, and those of the protocol's out-of-distribution sets."""

    def __init__(self, protocol: Protocol, dataset: Dataset, cache_dir: Path, device: torch.device) -> None:
        self.protocol = protocol
        self.device = device
        self.dataset = dataset
        self.known = self._test_images(dataset)
        self.sets = {name: self._images(name, cache_dir) for name in protocol.ood_sets}

    def scores(self, score: Score) -> tuple[np.ndarray, dict[str, np.ndarray]] | None:
        """The scores of the test images, and of each set; None where nothing is scored."""
        known = score(self.known)
        if known is None:
            return None
        by_set = {name: score(images) for name, images in self.sets.items()}
        return known.cpu().numpy(), {name: of.cpu().numpy() for name, of in by_set.items() if of is not None}

    def metrics(self, known: np.ndarray, by_set: Mapping[str, np.ndarray]) -> dict[str, float]:
        """`DETECTION_METRICS` per set, each with the ends of its 95% interval, and the mean `auroc`."""
        found: dict[str, float] = {}
        for name, scores in by_set.items():
            for metric, interval in detection(known, scores, self.protocol.resamples, seed=self.protocol.seed).items():
                found[f"{metric}_{name}"] = interval.value
                found[f"{metric}_{name}_low"] = interval.low
                found[f"{metric}_{name}_high"] = interval.high
        if by_set:
            found["auroc"] = float(np.mean([found[f"auroc_{name}"] for name in by_set]))
        return found

    def baselines(self, probabilities: Callable[[Tensor], np.ndarray]) -> dict[str, float]:
        """AUROC per set of scores that need no model: a model that is not above them has learned nothing about it.

        "intensity" is how near the mean of the pixels is to that of the training images, "nearest" how near the
        nearest training image is (Euclidean), and "softmax" the highest of an extractor's class `probabilities`.
        """
        # Of bytes, so that not all of the training set is held as floats.
        mean = float(self.dataset.train.examples.mean()) / 127.5 - 1.0
        simple: dict[str, Score] = {
            "intensity": lambda images: -(images.mean(dim=(1, 2, 3)) - mean).abs(),
            "nearest": lambda images: -torch.from_numpy(distances_to_training(images, self.dataset.train.examples)),
            "softmax": lambda images: torch.from_numpy(probabilities(images).max(axis=1)),
        }
        found = {baseline: self.scores(score) for baseline, score in simple.items()}
        return {
            f"{name}_{baseline}": value
            for baseline, scores in found.items()
            if scores is not None
            for name, value in self.metrics(*scores).items()
            if name.startswith("auroc")
        }

    def _test_images(self, dataset: Dataset) -> Tensor:
        chosen = choose(dataset.test.examples, self.protocol.num_scored, self.protocol.seed)
        return to_tensor(conform(chosen, self.dataset.shape), self.device)

    def _images(self, name: str, cache_dir: Path) -> Tensor:
        if name == SCRAMBLED:
            generator = torch.Generator().manual_seed(self.protocol.seed)
            return scramble_strips(self.known, 0.5, generator)
        return self._test_images(open_dataset(name, cache_dir))
