"""Networks of image restoration (after srez, the code that [Kitov]'s source started from)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HEAD_CHANNELS = 32


class PreActivationBlock(nn.Module):
    """`x + C2(ReLU(C1(ReLU(x))))`, both 3x3. The second convolution starts small, so the block starts near `x`.

    There is no BatchNorm: it would shift the colours of an image with its batch.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x.relu()).relu())


class RestorationGenerator(nn.Module):
    """Adds a correction to an image that bicubic interpolation has enlarged by `factor`, a power of 2.

    Degraded images `(n, C, h, w)` become `(n, C, factor * h, factor * w)`, unbounded. The last convolution starts at 0,
    so an untrained network is bicubic interpolation, or the identity for factor 1.
    """

    def __init__(self, channels: int, width: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        body: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), *_blocks(width)]
        for _ in range(factor.bit_length() - 1):
            body += [nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(width, width, 3, padding=1)]
        self.body = nn.Sequential(*body, *_blocks(width))
        last = nn.Conv2d(HEAD_CHANNELS, channels, 3, padding=1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.head = nn.Sequential(nn.Conv2d(width, HEAD_CHANNELS, 3, padding=1), nn.ReLU(), last)

    def forward(self, degraded: Tensor) -> Tensor:
        return enlarged(degraded, self.factor) + self.head(self.body(degraded))


def _blocks(width: int) -> list[nn.Module]:
    return [PreActivationBlock(width), PreActivationBlock(width)]


def enlarged(images: Tensor, factor: int) -> Tensor:
    """Images enlarged by bicubic interpolation; the images themselves for factor 1."""
    if factor == 1:
        return images
    return F.interpolate(images, scale_factor=factor, mode="bicubic", align_corners=False)


class PatchDiscriminator(nn.Module):
    """The mean `(n,)` of the logits that patches of images `(n, C, H, W)` are real."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for i in range(2):
            inputs, outputs = width << i, width << (i + 1)
            convolution = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(4 * width, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images).mean(dim=(1, 2, 3))
