"""`discriminator_only` with its defaults against algorithm 1 of [Yesilcimen 2022], written as it is printed."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch.nn import functional as F

from trainables.data.batches import EpochSampler
from trainables.methods import discriminator_only
from trainables.methods.base import sub_seed
from trainables.methods.discriminator_only import DiscriminatorOnly, DiscriminatorOnlyConfig
from trainables.testing.data import tiny_images

ROUNDS = 12
SETTINGS = {"width": 1 / 32, "batch_size": 24, "initial_epochs": 0, "max_updates": 25}
TERMS = {"lambda_stat": 0.3, "lambda_tv": 2.0, "lambda_gnorm": 0.5, "lambda_ce": 0.01}
RATES = {"discriminator_lr": 2e-3, "image_lr": 0.05, "pool_size": 1.4}


class AlgorithmOne:
    """PyTorch's own Adam and schedule, gradients by autograd alone, a list for the pool."""

    def __init__(self, config, dataset, discriminator):
        self.config, self.labels = config, torch.from_numpy(dataset.train.labels)
        self.real = torch.from_numpy(dataset.train.examples).double() / 127.5 - 1
        statistics = self.real.mean(0), self.real.var(0, correction=0)
        self.mean, self.variance = (value.float().double() for value in statistics)
        self.d = discriminator
        self.adam = torch.optim.Adam(self.d.parameters(), lr=config.discriminator_lr)
        self.rng = torch.Generator().manual_seed(sub_seed(config.seed, "training"))
        self.batches = EpochSampler(len(self.real), config.batch_size, self.rng)
        self.pool = torch.empty(0, *dataset.shape)

    def image_loss(self, x, scores):
        c = self.config
        statistics = (x.mean(0) - self.mean).square().sum() + (x.var(0, correction=0) - self.variance).square().sum()
        variation = (x.diff(dim=-1).square().sum() + x.diff(dim=-2).square().sum()) / x.numel()
        return F.relu(1 - scores).mean() + c.lambda_stat * statistics + c.lambda_tv * variation

    def generate(self):
        c = self.config
        x = self.mean + self.variance.sqrt() * torch.randn(c.batch_size, *self.mean.shape, generator=self.rng)
        x.requires_grad_()
        adam = torch.optim.Adam([x], lr=c.image_lr)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(adam, factor=0.5, patience=10, min_lr=1e-5)
        for _ in range(c.max_updates):
            scores, _ = self.d(x)
            loss = self.image_loss(x, scores)
            adam.zero_grad()
            loss.backward()
            adam.step()
            plateau.step(loss.item())
            if scores.mean() >= 1:
                break
        return x.detach()

    def round(self):
        c = self.config
        self.pool = torch.cat([self.pool, self.generate()])
        size = round(c.pool_size * len(self.real))
        if len(self.pool) > size:
            with torch.no_grad():
                order = self.d(self.pool)[0].argsort(descending=True)
            self.pool = self.pool[order[:size]]
        indices = self.batches.next()
        real = self.real[indices].requires_grad_()
        real_scores, energies = self.d(real)
        drawn = torch.randint(len(self.pool), (3 * c.batch_size,), generator=self.rng)
        fake_scores, _ = self.d(self.pool[drawn])
        (gradient,) = torch.autograd.grad(real_scores.sum(), real, create_graph=True)
        loss = F.relu(1 - real_scores).mean() + F.relu(1 + fake_scores).mean()
        loss = loss + c.lambda_gnorm * gradient.flatten(1).norm(dim=1).mean()
        loss = loss - c.lambda_ce * energies.log_softmax(1)[torch.arange(len(real)), self.labels[indices]].sum()
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return loss.item()


@pytest.fixture
def _in_float64(monkeypatch):
    """In float32 the two part after some rounds: Adam follows the sign of the smallest gradients."""
    tensor, statistics = discriminator_only.to_tensor, discriminator_only.pixel_statistics
    monkeypatch.setattr(discriminator_only, "to_tensor", lambda *args: tensor(*args).double())
    monkeypatch.setattr(discriminator_only, "pixel_statistics", lambda *args: [v.double() for v in statistics(*args)])
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("_in_float64")
@pytest.mark.parametrize("target", [math.inf, 1.0], ids=["all updates", "stops at the target"])
def test_the_defaults_are_algorithm_one(target):
    """All terms are on, the pool is cut from round 4 on, and all weights and images stay the same.

    So that the target is reached, the last layer is pushed to high scores.
    """
    dataset = tiny_images()
    config = DiscriminatorOnlyConfig(**SETTINGS | TERMS | RATES)
    method = DiscriminatorOnly(config, dataset, torch.device("cpu"))
    if target == 1.0:
        with torch.no_grad():
            method.discriminator.score.bias.fill_(1.5)
    oracle = AlgorithmOne(config, dataset, copy.deepcopy(method.discriminator))
    updates = []
    for _ in range(ROUNDS):
        metrics = method.train_round()
        assert metrics["loss_discriminator"] == pytest.approx(oracle.round(), rel=1e-9)
        updates.append(metrics["inner_updates"])
    assert (min(updates) < 25) == (target == 1.0)
    for ours, theirs in zip(method.discriminator.parameters(), oracle.d.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-8)
    assert torch.allclose(method.pool.images, oracle.pool, atol=1e-6)
