"""Parts of the networks of GANs: layers with BatchNorm, residual blocks, initial weights."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn


def linear(inputs: int, outputs: int, batch_norm: bool) -> nn.Sequential:
    """A linear layer, followed by BatchNorm or not. Before BatchNorm, which would remove it, there is no bias."""
    layer = nn.Linear(inputs, outputs, bias=not batch_norm)
    return nn.Sequential(layer, nn.BatchNorm1d(outputs)) if batch_norm else nn.Sequential(layer)


def convolution(inputs: int, outputs: int, kernel: int, stride: int, batch_norm: bool) -> nn.Sequential:
    """A convolution that keeps the sides of an image (stride 1 and an odd kernel) or halves them (stride 2)."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=(kernel - 1) // 2, bias=not batch_norm)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs)) if batch_norm else nn.Sequential(layer)


def deconvolution(inputs: int, outputs: int, kernel: int, stride: int, batch_norm: bool) -> nn.Sequential:
    """A transposed convolution that keeps the sides (stride 1 and an odd kernel) or doubles them (stride 2)."""
    padding = (kernel - 1) // 2
    missing = stride - kernel + 2 * padding
    layer = nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, missing, bias=not batch_norm)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs)) if batch_norm else nn.Sequential(layer)


class ResidualBlock(nn.Module):
    """`f(S(x) + T2(f(T1(x))))`: two transformations, and a shortcut added before the last non-linearity `f`.

    The shortcut `S` is the identity, unless a `projection` is given. It is needed if `first` changes the shape, and has
    to change it in the same way.
    """

    def __init__(
        self, first: nn.Module, second: nn.Module, activation: nn.Module, projection: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.residual = nn.Sequential(first, activation, second)
        self.shortcut = nn.Identity() if projection is None else projection
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.shortcut(x) + self.residual(x))


class ChannelDropout(nn.Module):
    """Dropout of whole feature maps, each with probability `p`. Its random numbers are part of the state.

    `nn.Dropout2d` draws from the global random generator of the device. A training that continues from a checkpoint
    would then draw other numbers than one that was never interrupted.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.rng = torch.Generator().manual_seed(int(torch.randint(2**31, ())))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = torch.rand(*x.shape[:2], 1, 1, generator=self.rng) >= self.p
        return x * (kept / (1.0 - self.p)).to(x)

    def get_extra_state(self) -> Tensor:
        return self.rng.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        self.rng.set_state(state.cpu())


Network = TypeVar("Network", bound=nn.Module)


def without_biases(network: Network) -> Network:
    """`network`, whose linear layers and convolutions have lost their biases; BatchNorm keeps its shifts."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            module.bias = None
    return network


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
