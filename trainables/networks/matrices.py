"""Convolutions as matrices: for small images on a CPU, a convolution costs more than its products do."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MOST_PIXELS = 64
"""An image of 8x8: the matrices of larger ones have many times the products of the convolutions."""


class ConvolutionMatrix:
    """A convolution of flattened images `(B, features)`, with the layer's weights as they are now."""

    def __init__(self, layer: nn.Conv2d, shape: tuple[int, ...]) -> None:
        """`shape` is that of an image, `(C, H, W)`."""
        size = math.prod(shape)
        basis = torch.eye(size, dtype=layer.weight.dtype).view(size, *shape)
        made = F.conv2d(basis, layer.weight, None, layer.stride, layer.padding)
        self.shape = tuple(made.shape[1:])
        """Of an image that is made."""
        self._weight = made.flatten(1).t().contiguous()
        self._bias = layer.get_parameter("bias").repeat_interleave(math.prod(self.shape[1:]))

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self._weight, self._bias)


def pays(shape: tuple[int, ...], widest: int, images: int, device: torch.device) -> bool:
    """Whether matrices save more than they cost, where so many images `(C, H, W)` pass, forward and backward.

    The largest matrix is made by a pass of as many images as its layer has inputs: `widest` channels, of which each has
    a quarter of an image's pixels.
    """
    pixels = math.prod(shape[1:])
    return device.type == "cpu" and pixels <= MOST_PIXELS and widest * pixels / 4 <= images
