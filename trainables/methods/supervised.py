"""What methods have in common that learn from labels alone: batches, and a learning rate that falls after some epochs.

They classify and score, and make no samples.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from trainables.data.dataset import Dataset
from trainables.errors import InputError
from trainables.methods.base import Method, MethodConfig


class SupervisedConfig(MethodConfig):
    """The settings of the classifier's network and of its stochastic gradient descent."""

    width: float = Field(1.0, gt=0, le=4, description="multiplies the feature maps of the network: 64, 128, 128")
    num_features: int = Field(256, ge=1, le=4096)
    lr: float = Field(0.05, gt=0, le=1, description="stochastic gradient descent with momentum")
    momentum: float = Field(0.9, ge=0, lt=1)
    batch_size: int = Field(128, ge=2, le=4096)
    falls_after: tuple[int, ...] = Field((10, 20), description="epochs after which the learning rate falls")


class Supervised(Method):
    """A method that is trained on labelled images; a round is one update."""

    needs_data = False
    config: SupervisedConfig

    def __init__(self, config: SupervisedConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        if dataset.num_classes is None or dataset.train.labels is None:
            raise InputError(
                f"{type(self).__name__.lower()} learns classes, and data set {dataset.name!r} has no labels: choose a "
                "labelled one (a folder has labels if each class is a sub-folder)."
            )
        self.num_classes = dataset.num_classes
        self.round = 0

    def _sgd(self, parameters: list[Tensor], weight_decay: float) -> torch.optim.SGD:
        return torch.optim.SGD(parameters, self.config.lr, self.config.momentum, weight_decay=weight_decay)

    def _let_rate_fall(self, optimizer: torch.optim.Optimizer, factor: float) -> None:
        """Set the learning rate of this round: it has been multiplied by `factor` after some epochs."""
        epochs = (self.round - 1) * self.config.batch_size / len(self.dataset.train)
        falls = sum(epochs >= after for after in self.config.falls_after)
        for group in optimizer.param_groups:
            group["lr"] = self.config.lr * factor**falls

    def _labelled(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Training images in [-1, 1] and their labels, on the device."""
        return self.training_examples(indices), self.training_labels(indices)
