"""Encoders and decoders: perceptrons, and convolutions that mirror the DCGAN (`trainables.networks.dcgan`).

An encoder turns examples `(B, *shape)` into means and log variances of codes, `(B, latent_dim)` each. A decoder turns
codes into `(B, *shape)`, without a last non-linearity.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import Tensor, nn

from trainables.networks.dcgan import channels, dcgan_discriminator, dcgan_generator
from trainables.networks.layers import convolution, linear, scaled
from trainables.networks.residual import smallest_maps


class Encoder(nn.Module):
    """A linear layer for means and log variances after a network of features."""

    def __init__(self, features: nn.Module, num_features: int, latent_dim: int) -> None:
        super().__init__()
        self.features = features
        self.codes = nn.Linear(num_features, 2 * latent_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.codes(self.features(x)).chunk(2, dim=1)
        return mean, log_variance


def mlp_encoder(shape: Sequence[int], latent_dim: int, hidden_layers: int, hidden_units: int) -> Encoder:
    """An encoder with hidden layers of ReLUs; without any, it is affine."""
    sizes = [prod(shape), *hidden_layers * [hidden_units]]
    return Encoder(nn.Sequential(nn.Flatten(), *_hidden(sizes)), sizes[-1], latent_dim)


def mlp_decoder(shape: Sequence[int], latent_dim: int, hidden_layers: int, hidden_units: int) -> nn.Module:
    """The counterpart of `mlp_encoder`."""
    sizes = [latent_dim, *hidden_layers * [hidden_units]]
    return nn.Sequential(*_hidden(sizes), nn.Linear(sizes[-1], prod(shape)), nn.Unflatten(1, tuple(shape)))


def _hidden(sizes: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return layers


def conv_encoder(shape: Sequence[int], latent_dim: int, width: float, dense_units: int) -> Encoder:
    """The DCGAN's discriminator up to its last maps, then a hidden layer; raises `InputError` as `channels` does."""
    maps = dcgan_discriminator(shape, 0, width, batch_norm=True).layers[:-2]  # without the linear layer of the score
    last, halvings = scaled(channels(shape, depth=0)[-1], width), len(channels(shape, depth=0))
    hidden = linear(last * prod(smallest_maps(shape, halvings)), dense_units, batch_norm=True)
    return Encoder(nn.Sequential(*maps, hidden, nn.ReLU()), dense_units, latent_dim)


def conv_decoder(shape: Sequence[int], latent_dim: int, width: float) -> nn.Module:
    """The DCGAN's generator without its tanh; raises `InputError` as `channels` does."""
    return dcgan_generator(shape, latent_dim, 0, width, batch_norm=True).layers[:-1]


class FeatureDiscriminator(nn.Module):
    """A discriminator that shows its last maps (Larsen et al. 2015, table 1): logits `(B,)` and features `(B, n)`.

    A 3x3 convolution keeps the sides; then each 4x4 one of stride 2 halves them, up to 4 pixels or more. Raises
    `InputError` as `channels` does.
    """

    def __init__(self, shape: Sequence[int], width: float, dense_units: int) -> None:
        super().__init__()
        maps = [scaled(c, width) for c in channels(shape, depth=0)]
        before = max(1, maps[0] // 2)
        layers: list[nn.Module] = [convolution(shape[0], before, 3, 1, batch_norm=False), nn.ReLU()]
        for after in maps:
            layers += [convolution(before, after, 4, 2, batch_norm=True), nn.ReLU()]
            before = after
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.num_features = maps[-1] * prod(smallest_maps(shape, len(maps)))
        self.score = nn.Sequential(
            linear(self.num_features, dense_units, batch_norm=True), nn.ReLU(), nn.Linear(dense_units, 1), nn.Flatten(0)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(x)
        return self.score(features), features
