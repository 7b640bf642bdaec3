"""DUQ: a classifier that knows what it does not know by its distance to the centroids of the classes.

Van Amersfoort et al. 2020, *Uncertainty estimation using a single deep deterministic neural network*
(arXiv:2003.02037); the settings that the paper leaves open are those of the authors' code for Fashion-MNIST.
[Yesilcimen 2022] compares its scores with DUQ's (table 4.2).
"""

from __future__ import annotations

from typing import Any, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.data.batches import EpochSampler
from trainables.data.dataset import Dataset
from trainables.losses import kernel_cross_entropy, two_sided_penalty
from trainables.methods import batchwise
from trainables.methods.base import seeded_networks
from trainables.methods.scalars import Scalars, as_metrics
from trainables.methods.supervised import Supervised, SupervisedConfig
from trainables.methods.updates import training, update
from trainables.networks.classifiers import KernelClassifier

RATE_FACTOR = 0.2


class DuqConfig(SupervisedConfig):
    """The defaults are the settings of the authors' code for Fashion-MNIST, 30 epochs."""

    embedding_size: int = Field(256, ge=1, le=4096, description="dimensions in which an image is near a centroid")
    length_scale: float = Field(0.1, gt=0, le=10, description="of the kernels; the authors choose it by accuracy")
    lambda_gp: float = Field(
        0.05,
        ge=0,
        description="weight of the two-sided gradient penalty; the authors choose it by the AUROC on NotMNIST, "
        "so by out-of-distribution images",
    )
    centroid_decay: float = Field(0.999, ge=0, lt=1, description="of the moving averages that are the centroids")
    weight_decay: float = Field(1e-4, ge=0, le=1)

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        return cls(**{"width": 1 / 16, "num_features": 8, "embedding_size": 4, "batch_size": 16, **settings})


class Duq(Supervised):
    """A round is one update on a batch, after which the centroids move towards the batch's embeddings.

    BatchNorm normalises by the batch in updates, and by running statistics when the centroids move, as in the authors'
    code; so the gradient penalty sees how the images of a batch depend on each other.
    """

    Config = DuqConfig
    config: DuqConfig
    state = ("round", "classifier", "optimizer", "batches")

    def __init__(self, config: DuqConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        with seeded_networks(config.seed):
            classifier = KernelClassifier(
                dataset.shape,
                self.num_classes,
                config.num_features,
                config.width,
                config.embedding_size,
                config.length_scale,
            )
        self.classifier = classifier.to(device).eval()
        self.optimizer = self._sgd(list(self.classifier.parameters()), config.weight_decay)
        self.batches = EpochSampler(len(dataset.train), config.batch_size, self.rng)

    def train_round(self) -> Scalars:
        """One update; `accuracy_batch` is the accuracy on the batch before it."""
        self.round += 1
        self._let_rate_fall(self.optimizer, RATE_FACTOR)
        images, labels = self._labelled(self.batches.next())
        images.requires_grad_(self.config.lambda_gp > 0)
        with training(self.classifier):
            exponents = self.classifier(images)
            loss = kernel_cross_entropy(exponents, labels)
            metrics = {"loss_classifier": loss}
            if self.config.lambda_gp > 0:
                penalty = two_sided_penalty((-exponents).exp().sum(1), images)
                loss = loss + self.config.lambda_gp * penalty
                metrics["gradient_penalty"] = penalty
            update(self.optimizer, loss)
        with torch.no_grad():
            self.classifier.move_centroids(self.classifier.embed(images), labels, self.config.centroid_decay)
        metrics["accuracy_batch"] = (exponents.argmin(1) == labels).float().mean()
        return as_metrics(metrics, self.round)

    def score(self, x: Tensor) -> Tensor:
        """The logarithm of the largest kernel, `(n,)`, <= 0. The kernel itself would be 0 for most unknown images."""
        return -self._exponents(x).amin(1)

    def classify(self, x: Tensor) -> Tensor:
        """The kernels of the classes, divided by their sum: `(n, K)`."""
        return (-self._exponents(x)).softmax(1)

    def _exponents(self, x: Tensor) -> Tensor:
        return batchwise.outputs(self.classifier, x, self.device)

    def networks(self) -> dict[str, nn.Module]:
        """The classifier; its centroids are among its weights."""
        return {"classifier": self.classifier}
