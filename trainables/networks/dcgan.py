"""DCGAN for images of any size ([Halbreich 2023], question 1: 64 maps and 100 latent numbers).

The document gives no table. Reading: the plain networks of Radford et al., of which `M0_B` and `M0_C` are cases. The
discriminator halves the sides as long as at least 4 pixels are left. It has 64 maps after the first halving, and twice
as many after each further one: 64 -> 32 -> 16 -> 8 -> 4 ends with 512 maps, 28 -> 14 -> 7 with 128.
"""

from __future__ import annotations

from collections.abc import Sequence

from trainables.errors import InputError
from trainables.networks.layers import without_biases
from trainables.networks.residual import ImageDiscriminator, ImageGenerator

MAPS = 64
"""Feature maps next to the image, at width 1."""
SMALLEST_SIDE = 4


def dcgan_generator(
    shape: Sequence[int], latent_dim: int, depth: int, width: float, batch_norm: bool
) -> ImageGenerator:
    """Latents `(B, latent_dim)` to images `(B, *shape)` in [-1, 1]; raises `InputError` as `channels` does."""
    return ImageGenerator(shape, latent_dim, channels(shape, depth)[::-1], 0, width, batch_norm)


def dcgan_discriminator(
    shape: Sequence[int], depth: int, width: float, batch_norm: bool, outputs: int = 1
) -> ImageDiscriminator:
    """Images `(B, *shape)` to logits `(B,)`, or `(B, outputs)`; raises `InputError` as `channels` does."""
    return ImageDiscriminator(shape, channels(shape, depth), 0, width, batch_norm, outputs=outputs)


def dcgan_generator_without_biases(
    shape: Sequence[int], latent_dim: int, depth: int, width: float, batch_norm: bool
) -> ImageGenerator:
    """The generator without biases. It has 3,574,656 parameters for 1x64x64 pixels and 100 latent numbers."""
    return without_biases(dcgan_generator(shape, latent_dim, depth, width, batch_norm))


def dcgan_discriminator_without_biases(
    shape: Sequence[int], depth: int, width: float, batch_norm: bool
) -> ImageDiscriminator:
    """The discriminator without biases. It has 2,763,520 parameters for 1x64x64 pixels.

    Both together have the 6,338,176 of PresGAN in [Yesilcimen 2022], table 4.3: its authors' networks have no biases.
    """
    return without_biases(dcgan_discriminator(shape, depth, width, batch_norm))


def channels(shape: Sequence[int], depth: int) -> list[int]:
    """The number of maps after each halving, from the image on.

    Raises `InputError` unless both sides have at least 8 pixels and can be halved as often as the smaller one, and for
    a `depth` other than 0: a DCGAN has no blocks.
    """
    refuse_blocks(depth)
    halvings = (min(shape[1:]) // SMALLEST_SIDE).bit_length() - 1 if len(shape) == 3 else 0
    if halvings < 1 or shape[1] % 2**halvings or shape[2] % 2**halvings:
        raise InputError(
            f"a dcgan is for images with sides of 4, 5, 6 or 7 pixels times a power of two (8, 28, 32, 64 ...), and "
            f"the data set's examples are {'x'.join(map(str, shape))}: choose another network or data set."
        )
    return [MAPS * 2**k for k in range(halvings)]


def refuse_blocks(depth: int) -> None:
    """Raise `InputError` for a `depth` other than 0."""
    if depth != 0:
        raise InputError(f"a dcgan has no residual blocks, and its depth is {depth}: set it to 0.")
