"""The classifiers that detectors are built on: a small CNN, with a linear output or with kernels around centroids.

The CNN is the one with which van Amersfoort et al. 2020 (arXiv:2003.02037) classify Fashion-MNIST: each stage is a 3x3
convolution, BatchNorm, ReLU and 2x2 max pooling. The third convolution has no padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.errors import InputError
from trainables.networks.layers import scaled

MAPS = (64, 128, 128)
"""Feature maps of each stage, at width 1."""
SMALLEST_SIDE = 16
"""Images with a smaller side have two stages: the third would leave no pixel."""
WEIGHT_STD = 0.05
"""Deviation of the initial class embeddings, as in the authors' code."""
COUNT = 12.0
"""The number of images that each class starts with, as in the authors' code. The centroids start at random."""


def feature_network(shape: Sequence[int], num_features: int, width: float) -> nn.Sequential:
    """Images `(B, *shape)` to features `(B, num_features)`, >= 0.

    Raises `InputError` unless `shape` is the shape of images with sides of at least 4 pixels.
    """
    if len(shape) != 3 or min(shape[1:]) < 4:
        raise InputError(
            f"the classifier is for images of at least 4x4 pixels, and the data set's examples are "
            f"{'x'.join(map(str, shape))}: choose another data set."
        )
    paddings = (1, 1, 0) if min(shape[1:]) >= SMALLEST_SIDE else (1, 1)
    maps = [shape[0], *(scaled(number, width) for number in MAPS[: len(paddings)])]
    sides = list(shape[1:])
    layers: list[nn.Module] = []
    for (before, after), padding in zip(pairwise(maps), paddings, strict=True):
        layers += [nn.Conv2d(before, after, 3, padding=padding), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        sides = [(side - 2 + 2 * padding) // 2 for side in sides]
    linear = nn.Linear(maps[-1] * sides[0] * sides[1], num_features)
    return nn.Sequential(*layers, nn.Flatten(), linear, nn.ReLU())


def softmax_classifier(shape: Sequence[int], num_classes: int, num_features: int, width: float) -> nn.Sequential:
    """Images `(B, *shape)` to class logits `(B, num_classes)`; raises `InputError` as `feature_network` does."""
    return nn.Sequential(feature_network(shape, num_features, width), nn.Linear(num_features, num_classes))


class KernelClassifier(nn.Module):
    """One kernel for each class, around the centroid of the class (van Amersfoort et al. 2020, eq. 1).

    Features `f` of an image have an embedding `z_c = W_c f` for each class. The kernel is
    `K_c = exp(-mean_d (z_c - e_c)^2 / (2 s^2))`, with a mean over the dimensions and the length scale `s`. The centroid
    `e_c` is a moving average of the embeddings of the images of class `c`; it is not trained by gradients.
    """

    def __init__(
        self,
        shape: Sequence[int],
        num_classes: int,
        num_features: int,
        width: float,
        embedding_size: int,
        length_scale: float,
    ) -> None:
        super().__init__()
        self.features = feature_network(shape, num_features, width)
        self.embedding = nn.Parameter(WEIGHT_STD * torch.randn(num_classes, embedding_size, num_features))
        self.length_scale = length_scale
        self.counts: Tensor
        self.sums: Tensor
        self.register_buffer("counts", torch.full((num_classes,), COUNT))
        self.register_buffer("sums", torch.randn(num_classes, embedding_size) * COUNT)

    def forward(self, x: Tensor) -> Tensor:
        """Minus the logarithm of each class's kernel, `(B, num_classes)`, >= 0, of images `(B, *shape)`."""
        return self.exponents(self.embed(x))

    def embed(self, x: Tensor) -> Tensor:
        """The embeddings `(B, num_classes, embedding_size)` of images `(B, *shape)`."""
        return torch.einsum("bf,cdf->bcd", self.features(x), self.embedding)

    def exponents(self, embeddings: Tensor) -> Tensor:
        """Minus the logarithm of each class's kernel, `(B, num_classes)`, of embeddings."""
        centroids = self.sums / self.counts[:, None]
        return (embeddings - centroids).square().mean(dim=2) / (2 * self.length_scale**2)

    @torch.no_grad()
    def move_centroids(self, embeddings: Tensor, labels: Tensor, decay: float) -> None:
        """Move the centroids towards the embeddings of a batch with labels `(B,)`: `decay` of the old ones is kept."""
        of_class = F.one_hot(labels, len(self.counts)).to(self.counts.dtype)
        self.counts.lerp_(of_class.sum(0), 1 - decay)
        self.sums.lerp_(torch.einsum("bc,bcd->cd", of_class, embeddings).to(self.sums.dtype), 1 - decay)
