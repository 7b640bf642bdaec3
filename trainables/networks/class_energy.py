"""The discriminator of the discriminator-only method ([Yesilcimen 2022], figure 3.1)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from trainables.networks.matrices import ConvolutionMatrix, pays


class ClassEnergyDiscriminator(nn.Module):
    """Four 3x3 convolutions and four linear layers, with a shortcut from the first convolution.

    The flattened outputs of the first and the last convolution are concatenated. The third linear layer gives one
    energy per class, and the fourth maps the energies to the score. LeakyReLU(0.2) is between all layers. `width`
    scales the convolutions and the first two linear layers. At width 1, for 1x28x28 and 10 classes, there are
    14,995,477 parameters, the published number (table 4.3).

    With `spectral_norm`, the weights of each layer, as a matrix with a row for each output, are divided by their
    largest singular value. Training mode improves the estimates of these values, by a power iteration a pass.

    Images are `(B, C, H, W)`, at least 4 pixels high and wide.
    """

    def __init__(
        self, shape: tuple[int, ...], num_classes: int, width: float = 1.0, spectral_norm: bool = False
    ) -> None:
        super().__init__()
        channels, height, width_px = shape
        wide, narrow = max(1, round(256 * width)), max(1, round(64 * width))
        self.conv1 = nn.Conv2d(channels, wide, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(wide, wide, 3, padding=1)
        self.conv3 = nn.Conv2d(wide, wide, 3, stride=2, padding=1)
        self.conv4 = nn.Conv2d(wide, narrow, 3, padding=1)
        half = -(-height // 2) * -(-width_px // 2)
        quarter = -(-height // 4) * -(-width_px // 4)
        self.linear1 = nn.Linear(wide * half + narrow * quarter, wide)
        self.linear2 = nn.Linear(wide, narrow)
        self.class_energies = nn.Linear(narrow, num_classes)
        self.score = nn.Linear(num_classes, 1)
        layers = list(self.children())
        self.flatten = nn.Flatten()
        if spectral_norm:
            for layer in layers:
                parametrizations.spectral_norm(layer)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores `(B,)` and the class energies `(B, num_classes)`."""
        first = F.leaky_relu(self._first_convolution(x), 0.2)
        h = F.leaky_relu(self.conv2(first), 0.2)
        h = F.leaky_relu(self.conv3(h), 0.2)
        last = F.leaky_relu(self.conv4(h), 0.2)
        return self._outputs(self.flatten(first), self.flatten(last))

    def for_passes(self, shape: tuple[int, ...], images: int) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """What gives the outputs fastest for so many images `(C, H, W)` in all, while the weights stay as they are.

        For small images on a CPU, the convolutions become matrices; else it is the network itself.
        """
        if not pays(shape, self.conv2.in_channels, images, self.conv2.weight.device):
            return self
        layers = []
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            layers.append(ConvolutionMatrix(layer, shape))
            shape = layers[-1].shape

        def outputs(x: Tensor) -> tuple[Tensor, Tensor]:
            first = last = F.leaky_relu(layers[0](self.flatten(x)), 0.2)
            for layer in layers[1:]:
                last = F.leaky_relu(layer(last), 0.2)
            return self._outputs(first, last)

        return outputs

    def _outputs(self, first: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        """The scores and the energies, from the outputs of the first and the last convolution, flattened."""
        h = F.leaky_relu(self.linear1(torch.cat([first, last], dim=1)), 0.2)
        h = F.leaky_relu(self.linear2(h), 0.2)
        energies = self.class_energies(h)
        scores = self.score(F.leaky_relu(energies, 0.2)).squeeze(1)
        return scores, energies

    def _first_convolution(self, x: Tensor) -> Tensor:
        """`conv1(x)`. With few channels, oneDNN's gradient for images takes four times as long as that of `fold`."""
        if not x.requires_grad or x.device.type != "cpu":
            return self.conv1(x)
        height, width = x.shape[2:]
        groups = self.conv1.groups
        weight = self.conv1.weight.unflatten(0, (groups, -1)).flatten(2)
        maps = (weight @ F.unfold(x, 3, padding=1, stride=2).unflatten(1, (groups, -1))).flatten(1, 2)
        maps = maps + self.conv1.get_parameter("bias").unsqueeze(1)
        return maps.unflatten(2, (-(-height // 2), -(-width // 2)))
