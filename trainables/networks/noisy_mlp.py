"""The perceptrons of Salimans et al. 2016 for MNIST with few labels, by the settings of their published code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.networks.layers import scaled
from trainables.networks.weight_norm import standardise_outputs, weight_normed_linear

DISCRIMINATOR_UNITS = (1000, 500, 250, 250, 250)
GENERATOR_UNITS = 500
INPUT_NOISE, HIDDEN_NOISE = 0.3, 0.5
"""Deviations of the normal noise on pixels, which are in [0, 1] here, and on hidden units."""


class NoisyClassifier(nn.Module):
    """Five hidden layers with ReLU and an output for each class; every layer is weight-normalised.

    In training, noise is added to what each layer takes. The scales of the hidden layers are set by
    `initialise_by_data` and then stay; the scale of the output is learned.
    """

    def __init__(self, shape: Sequence[int], num_classes: int, width: float) -> None:
        super().__init__()
        self.sizes = (prod(shape), *(scaled(units, width) for units in DISCRIMINATOR_UNITS))
        self.hidden = nn.ModuleList(weight_normed_linear(a, b, learned_scale=False) for a, b in pairwise(self.sizes))
        self.output = weight_normed_linear(self.sizes[-1], num_classes, learned_scale=True)

    def noise(self, *parts: tuple[int, torch.Generator], device: torch.device) -> Tensor:
        """Noise of N(0, 1) for a batch of several parts, each a number of images and the generator of its noise."""
        noise = torch.empty(sum(n for n, _ in parts), sum(self.sizes), device=parts[0][1].device)
        for part, (n, rng) in zip(noise.split([n for n, _ in parts]), parts, strict=True):
            torch.randn(n, sum(self.sizes), generator=rng, device=rng.device, out=part)
        return noise.to(device, non_blocking=True)

    def features(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """The last hidden layer `(B, units)` of images `(B, *shape)` in [-1, 1], before noise is added to it.

        Without `noise`, which has a row per image, none is added anywhere.
        """
        noises = self._split(noise)
        h = _noisy(x.flatten(1).add(1.0).mul(0.5), next(noises), INPUT_NOISE)
        for i, layer in enumerate(self.hidden):
            h = F.relu(layer(h if i == 0 else _noisy(h, next(noises), HIDDEN_NOISE)), inplace=True)
        return h

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """Class logits `(B, num_classes)` of images `(B, *shape)` in [-1, 1]."""
        last = None if noise is None else noise[:, -self.sizes[-1] :]
        return self.output(_noisy(self.features(x, noise), last, HIDDEN_NOISE))

    @torch.no_grad()
    def initialise_by_data(self, x: Tensor, rng: torch.Generator) -> None:
        """Scale and shift every layer so that its outputs on the noisy images `x` have mean 0 and deviation 1."""
        noises = self._split(self.noise((len(x), rng), device=x.device))
        h = _noisy(x.flatten(1).add(1.0).mul(0.5), next(noises), INPUT_NOISE)
        for layer in self.hidden:
            assert isinstance(layer, nn.Linear)
            h = _noisy(F.relu(standardise_outputs(layer, h)), next(noises), HIDDEN_NOISE)
        standardise_outputs(self.output, h)

    def _split(self, noise: Tensor | None) -> Iterator[Tensor | None]:
        return iter([None] * len(self.sizes) if noise is None else noise.split(self.sizes, dim=1))


def _noisy(x: Tensor, noise: Tensor | None, deviation: float) -> Tensor:
    return x if noise is None else torch.add(x, noise, alpha=deviation)


class SoftplusGenerator(nn.Module):
    """Two hidden layers with BatchNorm, which shifts and does not scale, and softplus; a weight-normalised output.

    Latents `(B, latent_dim)` become images `(B, *shape)` in [-1, 1].
    """

    def __init__(self, shape: Sequence[int], latent_dim: int, width: float) -> None:
        super().__init__()
        units = scaled(GENERATOR_UNITS, width)
        layers: list[nn.Module] = []
        for before, after in pairwise((latent_dim, units, units)):
            norm = nn.BatchNorm1d(after)
            norm.weight.requires_grad_(False)
            layers += [nn.Linear(before, after, bias=False), norm, nn.Softplus()]
        output = weight_normed_linear(units, prod(shape), learned_scale=True)
        self.layers = nn.Sequential(*layers, output, nn.Sigmoid(), nn.Unflatten(1, tuple(shape)))

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z).mul(2.0).sub(1.0)
