"""Generators and discriminators with residual blocks ([Yamazaki 2017], tables A.1 and A.2).

Generators have ReLU, discriminators LeakyReLU(0.2). BatchNorm, if it is on, precedes every non-linearity but the first
of the discriminator; the generator's output has none. `width` multiplies the channels.

A stage of the image networks doubles or halves the sides: a plain layer of stride 2, or blocks. The document leaves two
things open:

Where the stride is in a stage with blocks. Table A.2 lists the pair "4x4, stride 2" and "3x3, stride 1" in the place of
the plain layer, and by section 4.5.2 blocks replace the hidden layers. Reading (`"replace_stride"`): the first block is
this pair, and the others are two 3x3 layers, so `c` blocks are `2c` layers. With `"after_stride"`, the plain layer
stays and all `c` blocks follow it.

What the shortcut of the first block is, since it has to change the shape. Reading: as in the author's public code, a
1x1 layer of stride 2, with BatchNorm like the rest of the block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from math import prod
from typing import Literal

from torch import Tensor, nn

from trainables.errors import InputError
from trainables.networks.discriminator import Discriminator
from trainables.networks.layers import ResidualBlock, convolution, deconvolution, linear, scaled

BlockReading = Literal["replace_stride", "after_stride"]

POINT_UNITS = 32
"""Hidden units of the networks for points."""


class PointGenerator(nn.Module):
    """`M0_A` at depth 0 (three linear layers), `M1_A` at depth 7. Blocks, if any, replace the second layer.

    Latents `(B, latent_dim)` become `(B, *shape)`, unbounded.
    """

    def __init__(self, shape: Sequence[int], latent_dim: int, depth: int, width: float, batch_norm: bool) -> None:
        super().__init__()
        units, activation = scaled(POINT_UNITS, width), nn.ReLU(inplace=True)
        self.layers = nn.Sequential(
            linear(latent_dim, units, batch_norm),
            activation,
            *_hidden(units, depth, batch_norm, activation),
            linear(units, prod(shape), batch_norm=False),
            nn.Unflatten(1, tuple(shape)),
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class PointDiscriminator(Discriminator):
    """The counterpart of `PointGenerator`: points `(B, *shape)` become logits `(B,)`."""

    def __init__(self, shape: Sequence[int], depth: int, width: float, batch_norm: bool) -> None:
        super().__init__()
        units, activation = scaled(POINT_UNITS, width), nn.LeakyReLU(0.2, inplace=True)
        self.layers = nn.Sequential(
            nn.Flatten(),
            linear(prod(shape), units, batch_norm=False),
            activation,
            *_hidden(units, depth, batch_norm, activation),
            linear(units, 1, batch_norm=False),
            nn.Flatten(0),
        )


def _hidden(units: int, depth: int, batch_norm: bool, activation: nn.Module) -> list[nn.Module]:
    if depth == 0:
        return [linear(units, units, batch_norm), activation]
    layer = partial(linear, units, units, batch_norm)
    return [ResidualBlock(layer(), layer(), activation) for _ in range(depth)]


class ImageGenerator(nn.Module):
    """A transposed convolution from the latent to `channels[0]` maps, a stage for each further number, and the output.

    With k numbers of channels, the sides are doubled k times after the first layer, whose kernel gives the size to
    start from. Each stage has `depth` blocks. The last doubling is the output, with tanh and without BatchNorm.

    Latents `(B, latent_dim)` become images `(B, *shape)` in [-1, 1]. Raises `InputError` for a shape that
    does not divide by 2^k.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        channels: Sequence[int],
        depth: int,
        width: float,
        batch_norm: bool,
        blocks: BlockReading = "replace_stride",
    ) -> None:
        super().__init__()
        height, width_px = smallest_maps(shape, len(channels))
        maps, activation = [scaled(c, width) for c in channels], nn.ReLU(inplace=True)
        first = nn.ConvTranspose2d(latent_dim, maps[0], (height, width_px), bias=not batch_norm)
        layers: list[nn.Module] = [nn.Unflatten(1, (latent_dim, 1, 1)), first]
        layers += [nn.BatchNorm2d(maps[0]), activation] if batch_norm else [activation]
        for before, after in pairwise(maps):
            layers += _stage(deconvolution, before, after, depth, blocks, batch_norm, activation)
        self.layers = nn.Sequential(*layers, deconvolution(maps[-1], shape[0], 4, 2, batch_norm=False), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class ImageDiscriminator(Discriminator):
    """A convolution to `channels[0]` maps, then a stage with `depth` blocks per further number; all halve the sides.

    A linear layer maps the result to logits: images `(B, *shape)` become `(B,)`, or `(B, outputs)` if there are several
    outputs. The first layer has no BatchNorm.
    Raises `InputError` for a shape that does not divide by 2^k, k the number of `channels`.
    """

    def __init__(
        self,
        shape: Sequence[int],
        channels: Sequence[int],
        depth: int,
        width: float,
        batch_norm: bool,
        blocks: BlockReading = "replace_stride",
        outputs: int = 1,
    ) -> None:
        super().__init__()
        height, width_px = smallest_maps(shape, len(channels))
        maps, activation = [scaled(c, width) for c in channels], nn.LeakyReLU(0.2, inplace=True)
        layers: list[nn.Module] = [convolution(shape[0], maps[0], 4, 2, batch_norm=False), activation]
        for before, after in pairwise(maps):
            layers += _stage(convolution, before, after, depth, blocks, batch_norm, activation)
        score = nn.Linear(maps[-1] * height * width_px, outputs)
        self.layers = nn.Sequential(*layers, nn.Flatten(), score, nn.Flatten(0 if outputs == 1 else 1))


def _stage(
    layer: Callable[[int, int, int, int, bool], nn.Module],
    before: int,
    after: int,
    depth: int,
    blocks: BlockReading,
    batch_norm: bool,
    activation: nn.Module,
) -> list[nn.Module]:
    """`layer` is a convolution or its transpose, called with channels, kernel, stride and BatchNorm."""
    strided = layer(before, after, 4, 2, batch_norm)
    plain = partial(layer, after, after, 3, 1, batch_norm)
    if depth == 0:
        return [strided, activation]
    if blocks == "after_stride":
        return [strided, activation, *[ResidualBlock(plain(), plain(), activation) for _ in range(depth)]]
    first = ResidualBlock(strided, plain(), activation, projection=layer(before, after, 1, 2, batch_norm))
    return [first, *[ResidualBlock(plain(), plain(), activation) for _ in range(depth - 1)]]


def smallest_maps(shape: Sequence[int], halvings: int) -> tuple[int, int]:
    """Height and width of images `shape` (C, H, W) after as many halvings.

    Raises `InputError` if the sides cannot be halved that often, and if `shape` is not the shape of an image.
    """
    factor = 2**halvings
    if len(shape) != 3 or shape[1] % factor or shape[2] % factor:
        size = "x".join(map(str, shape[1:] if len(shape) == 3 else shape))
        raise InputError(
            f"the network is for images whose sides divide by {factor}, and the data set's examples are {size}: "
            "choose another network or data set."
        )
    return shape[1] // factor, shape[2] // factor
