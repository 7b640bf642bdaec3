"""What the networks of the GAN family are made of: layers with BatchNorm, residual blocks, initial weights."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


def linear(inputs: int, outputs: int, batch_norm: bool) -> nn.Sequential:
    """A linear layer, with BatchNorm behind it or not. A bias that BatchNorm would undo is left out."""
    layer = nn.Linear(inputs, outputs, bias=not batch_norm)
    return nn.Sequential(layer, nn.BatchNorm1d(outputs)) if batch_norm else nn.Sequential(layer)


def convolution(inputs: int, outputs: int, kernel: int, stride: int, batch_norm: bool) -> nn.Sequential:
    """A convolution with padding 1: kernel 4 and stride 2 halve an image's sides, kernel 3 and stride 1 keep them."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=not batch_norm)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs)) if batch_norm else nn.Sequential(layer)


def deconvolution(inputs: int, outputs: int, kernel: int, stride: int, batch_norm: bool) -> nn.Sequential:
    """Its transpose: kernel 4 and stride 2 double the sides, kernel 3 and stride 1 keep them."""
    layer = nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding=1, bias=not batch_norm)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs)) if batch_norm else nn.Sequential(layer)


class ResidualBlock(nn.Module):
    """`f(x + T2(f(T1(x))))`: two transformations, and an identity added before the last non-linearity `f`."""

    def __init__(self, transformation: Callable[[], nn.Module], activation: nn.Module) -> None:
        super().__init__()
        self.residual = nn.Sequential(transformation(), activation, transformation())
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape of `x`."""
        return self.activation(x + self.residual(x))


def scaled(channels: int, width: float) -> int:
    """`channels` times `width`, at least 1."""
    return max(1, round(channels * width))


def initialise(network: nn.Module, std: float) -> None:
    """Weights `N(0, std)` from the global generator, biases 0; BatchNorm scales by 1 and shifts by 0."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
