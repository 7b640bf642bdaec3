"""The DCGAN of 1,148,098 parameters ([Yesilcimen 2022], table 4.3: FID 10.85): upsampling instead of strides in G.

The document gives its name and number of parameters. Reading: it is the network of the public collection PyTorch-GAN
(`implementations/dcgan`), which has exactly as many for images of 1x32x32 and 100 latent numbers. Two of its
peculiarities are kept: in the discriminator, BatchNorm comes after the non-linearity, and BatchNorm after a
convolution has an epsilon of 0.8, which is added to the variance. `width` multiplies the maps.

The discriminator returns logits; in the collection it ends with a sigmoid.

The collection first enlarges digits to 32x32. Reading: the data are not changed, so that methods are compared on the
same images. The network for 32x32 gets them with a black border, and the border of generated images is cropped
(`bordered_generator` and `bordered_discriminator`). Without a border, `UpsamplingGenerator` and `DropoutDiscriminator`
have fewer weights for 1x28x28, because the first layer makes 7x7 maps instead of 8x8.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from trainables.errors import InputError
from trainables.networks.dcgan import refuse_blocks
from trainables.networks.discriminator import Discriminator
from trainables.networks.layers import ChannelDropout, scaled
from trainables.networks.residual import smallest_maps

GENERATOR_MAPS = (128, 128, 64)
"""The number of smallest maps, and the number after each of the two doublings."""
DISCRIMINATOR_MAPS = (16, 32, 64, 128)
"""The number after each halving."""
SMALLEST_SIDE = 2
"""Side of the smallest maps of the discriminator. Real and generated data are normalised apart. So with maps of a
single pixel, the last BatchNorm would give both the same mean score, whatever the weights are."""
EPSILON = 0.8
DROPOUT = 0.25
SIDE = 32
"""Side of the published network's images, in pixels."""
BLACK = -1.0


class UpsamplingGenerator(nn.Module):
    """A linear layer to maps with a quarter of the sides, which are doubled twice by repeating pixels; LeakyReLU(0.2).

    Latents `(B, latent_dim)` become images `(B, *shape)` in [-1, 1]. Raises `InputError` for sides that do not divide
    by 4, and for a `depth` other than 0.
    """

    def __init__(self, shape: Sequence[int], latent_dim: int, depth: int, width: float, batch_norm: bool) -> None:
        super().__init__()
        refuse_blocks(depth)
        height, width_px = smallest_maps(shape, 2)
        maps = [scaled(c, width) for c in GENERATOR_MAPS]
        layers: list[nn.Module] = [
            nn.Linear(latent_dim, maps[0] * height * width_px),
            nn.Unflatten(1, (maps[0], height, width_px)),
        ]
        layers += [nn.BatchNorm2d(maps[0])] if batch_norm else []
        for before, after in pairwise(maps):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1)]
            layers += [nn.BatchNorm2d(after, EPSILON)] if batch_norm else []
            layers += [nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(maps[-1], shape[0], 3, padding=1), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class DropoutDiscriminator(Discriminator):
    """Up to four 3x3 convolutions of stride 2, with LeakyReLU(0.2), dropout of maps and, but for the first, BatchNorm.

    Images of 17 pixels and more have four; smaller ones have as many as leave maps of `SMALLEST_SIDE`. Images
    `(B, *shape)` become logits `(B,)`. Raises `InputError` as `UpsamplingGenerator` does.
    """

    def __init__(self, shape: Sequence[int], depth: int, width: float, batch_norm: bool) -> None:
        super().__init__()
        refuse_blocks(depth)
        smallest_maps(shape, 2)
        height, width_px = shape[1:]
        maps: list[int] = []
        while len(maps) < len(DISCRIMINATOR_MAPS) and min(height, width_px) > 2 * (SMALLEST_SIDE - 1):
            maps.append(scaled(DISCRIMINATOR_MAPS[len(maps)], width))
            height, width_px = -(-height // 2), -(-width_px // 2)
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(pairwise([shape[0], *maps])):
            layers += [nn.Conv2d(before, after, 3, 2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
            layers += [ChannelDropout(DROPOUT)]
            layers += [nn.BatchNorm2d(after, EPSILON)] if batch_norm and i > 0 else []
        score = nn.Linear(maps[-1] * height * width_px, 1)
        self.layers = nn.Sequential(*layers, nn.Flatten(), score, nn.Flatten(0))


def bordered_generator(
    shape: Sequence[int], latent_dim: int, depth: int, width: float, batch_norm: bool
) -> nn.Sequential:
    """The generator for 32x32, whose images are cropped to `shape`; raises `InputError` as `border` does."""
    left, right, top, bottom = border(shape)
    crop = nn.ConstantPad2d((-left, -right, -top, -bottom), BLACK)
    return nn.Sequential(UpsamplingGenerator((shape[0], SIDE, SIDE), latent_dim, depth, width, batch_norm), crop)


def bordered_discriminator(shape: Sequence[int], depth: int, width: float, batch_norm: bool) -> DropoutDiscriminator:
    """The discriminator for 32x32, which gets images with a black border; raises `InputError` as `border` does."""
    discriminator = DropoutDiscriminator((shape[0], SIDE, SIDE), depth, width, batch_norm)
    discriminator.layers.insert(0, nn.ConstantPad2d(border(shape), BLACK))
    return discriminator


def border(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """The widths of the border that makes images 32x32: left, right, top, bottom.

    Raises `InputError` for larger images, and if `shape` is not the shape of an image.
    """
    if len(shape) != 3 or max(shape[1:]) > SIDE:
        size = "x".join(map(str, shape[1:] if len(shape) == 3 else shape))
        raise InputError(
            f"the network is for images of at most {SIDE}x{SIDE}, and the data set's examples are {size}: "
            "choose another network or data set."
        )
    height, width_px = (SIDE - side for side in shape[1:])
    return width_px // 2, width_px - width_px // 2, height // 2, height - height // 2
