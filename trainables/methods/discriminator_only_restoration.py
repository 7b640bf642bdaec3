"""Restoration by the weights that generate and score: descent on the discriminator's score from a degraded image."""

from __future__ import annotations

from typing import Any, Self

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.utils import parametrize

from trainables import losses, pixel_losses
from trainables.data.dataset import Dataset
from trainables.data.degradations import TASKS
from trainables.data.tasks import ImageTask
from trainables.methods import batchwise
from trainables.methods.discriminator_only import DiscriminatorOnly
from trainables.methods.discriminator_only_config import DiscriminatorOnlyConfig
from trainables.methods.image_descent import DescentSettings, descend
from trainables.methods.updates import frozen
from trainables.networks.restoration import enlarged


class DiscriminatorOnlyRestorationConfig(DiscriminatorOnlyConfig):
    """Training is that of `discriminator_only`. What follows is used when images are restored."""

    task: ImageTask = Field("noise0.1", description="what is undone: a name in trainables.data.degradations")
    lambda_data: float = Field(
        1.0, ge=0, description="weight of the squared error between the image, degraded again, and the input"
    )
    restore_updates: int = Field(100, ge=0, description="updates of an image that is restored")
    restore_lr: float = Field(0.02, gt=0, le=10, description="Adam on the images that are restored")

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        return super().tiny(**{"restore_updates": 3, **settings})


class DiscriminatorOnlyRestoration(DiscriminatorOnly):
    """Generates and scores as `discriminator_only` does, and restores with the same weights.

    The restored image minimises the hinge loss of its score and the total variation, as in generation (eq. 3.5), plus
    the squared error of the data. The statistics of a batch are left out, and the losses of images are summed, so that
    images are restored independently.
    """

    Config = DiscriminatorOnlyRestorationConfig
    config: DiscriminatorOnlyRestorationConfig

    def __init__(self, config: DiscriminatorOnlyRestorationConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        self.degradation = TASKS[config.task]
        self.degradation.check(dataset.shape)

    @property
    def task(self) -> ImageTask:
        """What the method undoes; measures of restoration ask."""
        return self.config.task

    def restore(self, degraded: Tensor) -> Tensor:
        """Restored images `(n, C, H, W)` in [-1, 1]; each depends on its own degraded image alone."""
        return torch.cat([self._restore(batch.to(self.device)) for batch in degraded.split(batchwise.OUTPUT_BATCH)])

    def _restore(self, degraded: Tensor) -> Tensor:
        config = self.config

        def objective(x: Tensor) -> tuple[Tensor, Tensor]:
            scores, _ = self.discriminator(x)
            errors = (self.degradation.operator(x) - degraded).square().sum()
            return len(x) * losses.hinge_real(scores) + config.lambda_data * errors, scores

        def pixel_terms(x: Tensor, gradient: Tensor) -> Tensor:
            return pixel_losses.total_variation(x, len(x) * config.lambda_tv, gradient)

        never = float("inf")  # the mean score and the mean loss of a batch would couple its images
        settings = DescentSettings(
            config.restore_lr, config.restore_updates, score_target=never, patience=config.restore_updates
        )
        start = enlarged(degraded, self.degradation.factor)
        with frozen(self.discriminator), parametrize.cached():
            return descend(start, objective, settings, pixel_terms).images.clamp(-1.0, 1.0)
