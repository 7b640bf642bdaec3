"""Losses as pure functions. Tensors in, a scalar tensor out; every one is differentiable.

`scores` are a discriminator's outputs `(B,)`; images are `(B, C, H, W)`. Equations are from [Yesilcimen 2022].
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

GradientNormReading = Literal["per_image", "batch_mean"]


def hinge_real(scores: Tensor) -> Tensor:
    """`mean(max(0, 1 - D(x)))`: what real images cost (eq. 3.1, first term; eq. 3.3)."""
    return F.relu(1.0 - scores).mean()


def hinge_fake(scores: Tensor) -> Tensor:
    """`mean(max(0, 1 + D(x)))`: what fake images cost (eq. 3.1, second term)."""
    return F.relu(1.0 + scores).mean()


def total_variation(images: Tensor) -> Tensor:
    """Sum of squared differences of horizontal and vertical neighbours / (C*H*W*B) (eq. 3.2)."""
    horizontal = images[..., :, 1:] - images[..., :, :-1]
    vertical = images[..., 1:, :] - images[..., :-1, :]
    return (horizontal.square().sum() + vertical.square().sum()) / images.numel()


def dataset_statistics(images: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Squared distance of the batch's pixel means and variances to the data set's (eq. 3.4).

    `mean` and `variance` are `(C, H, W)`; the sums run over all pixels. Both variances are divided by the number of
    images, not by one less.
    """
    batch_variance, batch_mean = torch.var_mean(images, dim=0, correction=0)
    return (mean - batch_mean).square().sum() + (variance - batch_variance).square().sum()


def gradient_norm(scores: Tensor, images: Tensor, reading: GradientNormReading = "per_image") -> Tensor:
    """L2 norm of the gradient of the scores with respect to the images (eq. 3.6).

    `scores` must be computed from `images`, which require a gradient. The equation does not say what happens to the
    batch. "per_image" is the mean over the batch of `||dD(x_i)/dx_i||`. "batch_mean" is the norm of the gradient of
    `mean(D(x))` with respect to the whole batch, which is smaller by about `sqrt(B)`.
    """
    if reading == "per_image":
        (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
        return torch.linalg.vector_norm(gradient.flatten(1), dim=1).mean()
    (gradient,) = torch.autograd.grad(scores.mean(), images, create_graph=True)
    return torch.linalg.vector_norm(gradient)


def summed_cross_entropy(energies: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the class energies `(B, K)` with labels `(B,)`, summed over the batch (eq. 3.7)."""
    return F.cross_entropy(energies, labels, reduction="sum")
