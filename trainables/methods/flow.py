"""Flow matching: a network learns the velocity that carries noise along straight lines to data (Lipman et al. 2023).

It is the yardstick of the documents' methods: what a small modern generator reaches at the same cost.
"""

from __future__ import annotations

import math
from typing import Any, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from trainables.data.batches import EpochSampler
from trainables.data.dataset import Dataset
from trainables.errors import InputError
from trainables.flow_matching import TimeSampling, draw_times, integrate, matching_loss
from trainables.methods import batchwise
from trainables.methods.base import Method, MethodConfig, seeded_networks
from trainables.methods.scalars import Scalars, as_metrics
from trainables.methods.updates import update
from trainables.networks.layers import scaled
from trainables.networks.unet import UNet


class FlowConfig(MethodConfig):
    """The defaults have 305,857 weights on images of 8x8 pixels and one channel."""

    maps: tuple[int, ...] = Field((32, 64), min_length=1, description="of the U-Net, from the image on")
    width: float = Field(1.0, gt=0, le=8, description="multiplies the maps")
    lr: float = Field(2e-3, gt=0, le=1, description="Adam, after the warm-up")
    warmup_rounds: int = Field(100, ge=0, description="rounds in which the learning rate rises linearly from 0")
    decay_rounds: int = Field(
        0, ge=0, description="rounds after which the learning rate has fallen to 0, along a cosine; 0: it stays"
    )
    time_sampling: TimeSampling = Field("logit_normal", description="which times are trained how often")
    batch_size: int = Field(128, ge=2, le=4096)
    ema_decay: float = Field(0.999, ge=0, lt=1, description="decay of an averaged network, which then samples; 0: off")
    sampling_steps: int = Field(5, ge=1, le=1000, description="steps of Heun's method; the last is one of Euler's")

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        small = {"maps": (4, 8), "batch_size": 16, "ema_decay": 0.5, "warmup_rounds": 1, "sampling_steps": 2}
        return cls(**{**small, **settings})


class Flow(Method):
    """A round is one update of the network on one batch."""

    Config = FlowConfig
    needs_data = False
    config: FlowConfig
    state = ("round", "network", "averaged", "optimizer", "real_batches")

    def __init__(self, config: FlowConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        if len(dataset.shape) != 3:
            raise InputError(f"flow is for images, and {dataset.name!r} has points: choose another method.")
        with seeded_networks(config.seed):
            network = UNet(dataset.shape, [scaled(maps, config.width) for maps in config.maps])
        self.network = network.to(device)
        self.averaged: AveragedModel | None = None
        if config.ema_decay > 0:
            self.averaged = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay))
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=config.lr, fused=True)
        self.real_batches = EpochSampler(len(dataset.train), config.batch_size, self.rng)
        self.round = 0

    def train_round(self) -> Scalars:
        """One update. `loss_matching` is the mean squared error of the velocity."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.lr * rate_share(self.round, self.config.warmup_rounds, self.config.decay_rounds)
        self.round += 1
        x1 = self.training_examples(self.real_batches.next())
        x0 = torch.randn(x1.shape, generator=self.rng, device=self.device)
        times = draw_times(len(x1), self.config.time_sampling, self.rng)
        loss = matching_loss(self.network, x0, x1, times)
        update(self.optimizer, loss)
        if self.averaged is not None:
            self.averaged.update_parameters(self.network)
        return as_metrics({"loss_matching": loss}, self.round)

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """`n` images in [-1, 1], made in whole batches; the first ones do not depend on `n`."""
        network, shape = self.networks()["network"], (self.config.batch_size, *self.dataset.shape)

        def batch() -> Tensor:
            noise = torch.randn(shape, generator=rng, device=rng.device).to(self.device)
            return integrate(network, noise, self.config.sampling_steps)

        return batchwise.make(n, self.config.batch_size, batch).clamp(-1.0, 1.0)

    def networks(self) -> dict[str, nn.Module]:
        """The averaged network, or the network if there is no average."""
        return {"network": self.network if self.averaged is None else self.averaged.module}


def rate_share(updates: int, warmup: int, decay: int) -> float:
    """The share of the learning rate that the update after `updates` earlier ones has, in [0, 1].

    It rises linearly over `warmup` updates, and falls along half a cosine to 0 after `decay` updates, unless that is 0.
    """
    rising = min(1.0, (updates + 1) / warmup) if warmup > 0 else 1.0
    falling = (1 + math.cos(math.pi * min(1.0, updates / decay))) / 2 if decay > 0 else 1.0
    return rising * falling
