"""The networks of GANs by name: any generator may be trained with any discriminator that takes the same data."""

from collections.abc import Callable
from functools import partial
from typing import Literal

from torch import nn

from trainables.networks.dcgan import (
    dcgan_discriminator,
    dcgan_discriminator_without_biases,
    dcgan_generator,
    dcgan_generator_without_biases,
)
from trainables.networks.dcgan_upsampling import (
    DropoutDiscriminator,
    UpsamplingGenerator,
    bordered_discriminator,
    bordered_generator,
)
from trainables.networks.discriminator import Discriminator
from trainables.networks.mlp import MlpDiscriminator, MlpGenerator
from trainables.networks.residual import ImageDiscriminator, ImageGenerator, PointDiscriminator, PointGenerator

GeneratorName = Literal[
    "residual_a",
    "residual_b",
    "residual_b_after_stride",
    "residual_c",
    "residual_c_after_stride",
    "dcgan",
    "dcgan_without_biases",
    "dcgan_upsampling",
    "dcgan_upsampling_32",
    "mlp",
    "mlp_tanh",
]
DiscriminatorName = Literal[
    "residual_a",
    "residual_b",
    "residual_b_after_stride",
    "residual_c",
    "residual_c_after_stride",
    "dcgan",
    "dcgan_without_biases",
    "dcgan_upsampling",
    "dcgan_upsampling_32",
    "mlp",
]

GENERATORS: dict[GeneratorName, Callable[..., nn.Module]] = {
    "residual_a": PointGenerator,
    "residual_b": partial(ImageGenerator, channels=(128, 64)),
    "residual_b_after_stride": partial(ImageGenerator, channels=(128, 64), blocks="after_stride"),
    "residual_c": partial(ImageGenerator, channels=(256, 128, 64)),
    "residual_c_after_stride": partial(ImageGenerator, channels=(256, 128, 64), blocks="after_stride"),
    "dcgan": dcgan_generator,
    "dcgan_without_biases": dcgan_generator_without_biases,
    "dcgan_upsampling": UpsamplingGenerator,
    "dcgan_upsampling_32": bordered_generator,
    "mlp": MlpGenerator,
    "mlp_tanh": partial(MlpGenerator, tanh=True),
}
"""Each is called with `shape`, `latent_dim`, `depth`, `width` and `batch_norm`, and may raise `InputError`.

Each reading of a residual network's blocks (`trainables.networks.residual`) has a name of its own, and so has the
published DCGAN for 32x32 pixels when it is used for smaller images (`trainables.networks.dcgan_upsampling`).
"""

DISCRIMINATORS: dict[DiscriminatorName, Callable[..., Discriminator]] = {
    "residual_a": PointDiscriminator,
    "residual_b": partial(ImageDiscriminator, channels=(64, 128)),
    "residual_b_after_stride": partial(ImageDiscriminator, channels=(64, 128), blocks="after_stride"),
    "residual_c": partial(ImageDiscriminator, channels=(64, 128, 256)),
    "residual_c_after_stride": partial(ImageDiscriminator, channels=(64, 128, 256), blocks="after_stride"),
    "dcgan": dcgan_discriminator,
    "dcgan_without_biases": dcgan_discriminator_without_biases,
    "dcgan_upsampling": DropoutDiscriminator,
    "dcgan_upsampling_32": bordered_discriminator,
    "mlp": MlpDiscriminator,
}
"""Each is called with `shape`, `depth`, `width` and `batch_norm`, and may raise `InputError`."""

__all__ = ["DISCRIMINATORS", "GENERATORS", "DiscriminatorName", "GeneratorName"]
