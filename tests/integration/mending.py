"""A system of another kind, from outside the packages: it takes noise off images, and is measured by how well it does.

It imports nothing beside it, as studies demand.
"""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from search_spaces.space import FirstTrial, Scale, SearchSpace, Suggestion
from trainables.data.batches import EpochSampler
from trainables.data.tensors import to_tensor
from trainables.measures.base import Measure, Measured, MeasureSettings, Metric
from trainables.methods.abilities import Restores
from trainables.methods.base import Method, MethodConfig, seeded_networks


def with_noise(images: Tensor, noise: float, rng: torch.Generator) -> Tensor:
    """Images `(n, C, H, W)` in [-1, 1] with normal noise of this standard deviation, not clipped."""
    return images + noise * torch.randn(images.shape, generator=rng, device=rng.device).to(images.device)


def psnr(images: Tensor, originals: Tensor) -> float:
    """The peak signal-to-noise ratio in decibels, of images in [-1, 1]."""
    return 10 * math.log10(4 / F.mse_loss(images, originals).item())


class MendingConfig(MethodConfig):
    lr: float = Field(1e-2, gt=0, le=1, description="Adam")
    noise: float = Field(0.5, ge=0, description="standard deviation of the noise in training")


class Mending(Method):
    """A convolution, trained to give back the image that noise was put on."""

    Config = MendingConfig
    state = ("network", "optimizer", "batches")

    def __init__(self, config, dataset, device):
        super().__init__(config, dataset, device)
        channels = dataset.shape[0]
        with seeded_networks(config.seed):
            self.network = nn.Conv2d(channels, channels, 3, padding=1).to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=config.lr)
        self.batches = EpochSampler(len(dataset.train), 64, self.rng)

    def train_round(self):
        images = self.training_examples(self.batches.next())
        loss = F.mse_loss(self.network(with_noise(images, self.config.noise, self.rng)), images)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss_restoration": loss.item()}

    @torch.no_grad()
    def restore(self, degraded):
        return self.network(degraded.to(self.device)).clamp(-1, 1)

    def networks(self):
        return {"network": self.network}


class RestorationSettings(MeasureSettings):
    measure: str = "mending:Restoration"
    num_images: int = 100
    noise: float = 0.5
    seed: int = 0

    def metrics(self, dataset):
        return {"psnr": Metric("maximize", shown=True)}


class Restoration(Measure):
    """How like the originals restored test images are."""

    Settings = RestorationSettings
    needs = Restores

    def __init__(self, settings, dataset, cache_dir, device):
        self.originals = to_tensor(dataset.test.examples[: settings.num_images], device)
        self.degraded = with_noise(self.originals, settings.noise, torch.Generator().manual_seed(settings.seed))

    def __call__(self, subject):
        restored = subject.method.restore(self.degraded)
        return Measured({"psnr": psnr(restored, self.originals)}, restored)

    def references(self):
        return {"psnr_degraded": psnr(self.degraded, self.originals)}

    def draw(self, measured, folder):
        folder.mkdir(parents=True, exist_ok=True)
        plt.imsave(folder / "restored.png", measured.seen[0, 0].cpu().numpy(), cmap="gray")


class MendingSpace(SearchSpace):
    name = "mending"
    description = "a convolution that takes noise off: learning rate"
    method = "mending:Mending"
    objectives = ("psnr_best",)
    scales = {"smoke": Scale("digits", rounds=40, evaluate_every=20, measures=(RestorationSettings(),), trials=3)}  # noqa: RUF012

    def suggest(self, trial):
        return Suggestion({"lr": trial.suggest_float("lr", 1e-4, 1e-1, log=True)})

    def first_trials(self):
        return [FirstTrial("too slow", {"lr": 1e-4}, {"psnr_best": 6.0}), FirstTrial("usual", {"lr": 3e-2})]


class RefusedSpace(MendingSpace):
    """Suggests what the method does not take."""

    def suggest(self, trial):
        return Suggestion({"lr": trial.suggest_float("lr", 0.5, 2.0)})

    def first_trials(self):
        return []


class UnableSpace(MendingSpace):
    """Its method generates, and restores nothing."""

    method = "discriminator_only"

    def suggest(self, trial):
        return Suggestion({"image_lr": trial.suggest_float("image_lr", 1e-2, 0.3)})

    def first_trials(self):
        return []
