"""Deep ensembles: several classifiers, each from its own initial weights and in its own order of the data.

Lakshminarayanan et al. 2017, *Simple and scalable predictive uncertainty estimation using deep ensembles*
(arXiv:1612.01474), without adversarial training. The settings are those with which the authors of DUQ train one on
Fashion-MNIST.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.data.batches import EpochSamplers
from trainables.data.dataset import Dataset
from trainables.methods import batchwise
from trainables.methods.base import seeded_networks
from trainables.methods.scalars import Scalars, as_metrics
from trainables.methods.supervised import Supervised, SupervisedConfig
from trainables.methods.updates import training, update
from trainables.metrics.uncertainty import mutual_information, predictive_entropy
from trainables.networks.classifiers import softmax_classifier

RATE_FACTOR = 0.1


class EnsembleConfig(SupervisedConfig):
    """The defaults are the settings of the code of DUQ's authors for Fashion-MNIST, 75 epochs."""

    members: int = Field(5, ge=1, le=100)
    weight_decay: float = Field(5e-4, ge=0, le=1)
    uncertainty: Literal["entropy", "mutual_information"] = Field(
        "entropy",
        description="what the score is the negative of: the entropy of the mean probabilities, or the part of it "
        "by which the members disagree",
    )

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        return cls(**{"members": 2, "width": 1 / 16, "num_features": 8, "batch_size": 16, **settings})


class Ensemble(Supervised):
    """A round is one update of each member."""

    Config = EnsembleConfig
    config: EnsembleConfig
    state = ("round", "members", "optimizer", "batches")

    def __init__(self, config: EnsembleConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        with seeded_networks(config.seed):
            networks = [
                softmax_classifier(dataset.shape, self.num_classes, config.num_features, config.width)
                for _ in range(config.members)
            ]
        self.members = nn.ModuleList(networks).to(device).eval()
        # Every member's gradient is of its own loss alone, so one optimiser for all does what one for each would do.
        self.optimizer = self._sgd(list(self.members.parameters()), config.weight_decay)
        self.batches = EpochSamplers(config.members, len(dataset.train), config.batch_size, self.rng)

    def train_round(self) -> Scalars:
        """One update of each member; the metrics are means over the members."""
        self.round += 1
        self._let_rate_fall(self.optimizer, RATE_FACTOR)
        losses, accuracies = [], []
        with training(self.members):
            for member, indices in zip(self.members, self.batches.next(), strict=True):
                images, labels = self._labelled(indices)
                logits = member(images)
                losses.append(F.cross_entropy(logits, labels))
                accuracies.append((logits.argmax(1) == labels).float().mean())
            update(self.optimizer, torch.stack(losses).sum())
        means = {"loss_classifier": torch.stack(losses).mean(), "accuracy_batch": torch.stack(accuracies).mean()}
        return as_metrics(means, self.round)

    def score(self, x: Tensor) -> Tensor:
        """Minus the uncertainty, in nats: `(n,)`, <= 0."""
        of = predictive_entropy if self.config.uncertainty == "entropy" else mutual_information
        return -of(self._probabilities(x))

    def classify(self, x: Tensor) -> Tensor:
        """The mean of the members' class probabilities: `(n, K)`."""
        return self._probabilities(x).mean(0)

    def _probabilities(self, x: Tensor) -> Tensor:
        """Of each member, `(members, n, K)`."""
        return torch.stack([batchwise.outputs(member, x, self.device).softmax(1) for member in self.members])

    def networks(self) -> dict[str, nn.Module]:
        """All members, as one module."""
        return {"members": self.members}
