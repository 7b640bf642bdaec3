"""Multi-layer perceptrons for points and for images as vectors ([Tabak 2016], sections 3.1 and 3.2).

The document gives the number of layers and of hidden units, but not the non-linearity. Reading: as in the residual
networks, ReLU in the generator and LeakyReLU(0.2) in the discriminator.

It is not clear which layers it counts. Section 3.2 speaks of "3-layer" and "4-layer" discriminators, then of "number of
hidden layers in D from 3 to 4". Reading: the output is one of the layers. So these discriminators have 2 and 3 hidden
layers (`depth`), and the "2-layer" generator has 1. By the other reading they have 3 and 4, and the generator has 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import Tensor, nn

from trainables.networks.discriminator import Discriminator
from trainables.networks.layers import linear, scaled

HIDDEN_UNITS = 50
"""Units of a hidden layer at width 1, as in section 3.2. Width 0.22 gives the 11 of section 3.1."""


class MlpGenerator(nn.Module):
    """`depth` hidden layers and an output, which is in [-1, 1] with `tanh` and unbounded without.

    Latents `(B, latent_dim)` become `(B, *shape)`. The document has 784 latent numbers for images of 784 pixels.
    """

    def __init__(
        self, shape: Sequence[int], latent_dim: int, depth: int, width: float, batch_norm: bool, tanh: bool = False
    ) -> None:
        super().__init__()
        sizes = [latent_dim, *depth * [scaled(HIDDEN_UNITS, width)]]
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [linear(before, after, batch_norm), nn.ReLU(inplace=True)]
        layers.append(linear(sizes[-1], prod(shape), batch_norm=False))
        layers += [nn.Tanh()] if tanh else []
        self.layers = nn.Sequential(*layers, nn.Unflatten(1, tuple(shape)))

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class MlpDiscriminator(Discriminator):
    """`depth` hidden layers, the first without BatchNorm, and an output.

    Data `(B, *shape)` become logits `(B,)`.
    """

    def __init__(self, shape: Sequence[int], depth: int, width: float, batch_norm: bool) -> None:
        super().__init__()
        sizes = [prod(shape), *depth * [scaled(HIDDEN_UNITS, width)]]
        layers: list[nn.Module] = [nn.Flatten()]
        for i, (before, after) in enumerate(pairwise(sizes)):
            layers += [linear(before, after, batch_norm and i > 0), nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers, linear(sizes[-1], 1, batch_norm=False), nn.Flatten(0))
