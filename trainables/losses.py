"""Losses as pure functions. Tensors in, a scalar tensor out; every one is differentiable.

`scores` are a discriminator's outputs `(B,)`; images are `(B, C, H, W)`. Equations are from [Yesilcimen 2022].
What a method that stacks uses also takes a leading axis of members, `(K, B)` and `(K, B, C, H, W)`: then the result is
`(K,)`.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

GradientNormReading = Literal["per_image", "batch_mean"]


def hinge_real(scores: Tensor) -> Tensor:
    """`mean(max(0, 1 - D(x)))`: what real images cost (eq. 3.1, first term; eq. 3.3)."""
    return F.relu(1.0 - scores).mean(-1)


def hinge_fake(scores: Tensor) -> Tensor:
    """`mean(max(0, 1 + D(x)))`: what fake images cost (eq. 3.1, second term)."""
    return F.relu(1.0 + scores).mean(-1)


def gradient_norm(scores: Tensor, images: Tensor, reading: GradientNormReading = "per_image") -> Tensor:
    """L2 norm of the gradient of the scores with respect to the images (eq. 3.6).

    `scores` must be computed from `images`, which require a gradient. The equation does not say what happens to the
    batch. "per_image" is the mean over the batch of `||dD(x_i)/dx_i||`. "batch_mean" is the norm of the gradient of
    `mean(D(x))` with respect to the whole batch, which is smaller by about `sqrt(B)`.
    """
    if reading == "per_image":
        (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
        return torch.linalg.vector_norm(gradient.flatten(scores.dim()), dim=-1).mean(-1)
    (gradient,) = torch.autograd.grad(scores.mean(-1).sum(), images, create_graph=True)
    return torch.linalg.vector_norm(gradient.flatten(scores.dim() - 1), dim=-1)


def r1(scores: Tensor, images: Tensor) -> Tensor:
    """Half the mean squared norm of the scores' gradient at each image (Mescheder et al. 2018, eq. 9).

    `scores` must be computed from `images`, which require a gradient.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return gradient.square().flatten(scores.dim()).sum(-1).mean(-1) / 2


def summed_cross_entropy(energies: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the class energies `(B, C)` with labels `(B,)`, summed over the batch (eq. 3.7)."""
    each = F.cross_entropy(energies.flatten(0, -2), labels.flatten(), reduction="none")
    return each.view_as(labels).sum(-1)


def real_logits(class_logits: Tensor, fake_logits: Tensor | float = 0.0) -> Tensor:
    """The logits `(B,)` of the probability that images are real, from class logits `(B, C)` and the logit "generated".

    In a softmax over the C classes and one more for generated images, the probability of that one is
    `sigmoid(-(logsumexp(class_logits) - fake_logits))`. With one logit too many, as any softmax has, the last may be
    held at 0 (Salimans et al. 2016, section 5).
    """
    return class_logits.logsumexp(1) - fake_logits


def feature_matching(fake: Tensor, real: Tensor) -> Tensor:
    """Mean over the units of the squared difference of two batches' mean features `(B, d)`.

    Salimans et al. 2016, section 3.1, sum over the units; their published code takes the mean, as here.
    """
    return (fake.mean(-2) - real.mean(-2)).square().mean(-1)


def two_sided_penalty(outputs: Tensor, inputs: Tensor) -> Tensor:
    """`mean((||ds/dx|| - 1)^2)` of outputs `s` `(B,)`, computed from `inputs` `(B, ...)`, which require a gradient.

    It keeps the outputs from being flat as well as from being steep (Gulrajani et al. 2017, arXiv:1704.00028, eq. 3;
    van Amersfoort et al. 2020, arXiv:2003.02037, section 2.2).
    """
    (gradient,) = torch.autograd.grad(outputs.sum(), inputs, create_graph=True)
    return (torch.linalg.vector_norm(gradient.flatten(outputs.dim()), dim=-1) - 1.0).square().mean(-1)


SMALLEST_EXPONENT = 1e-6
"""Of kernels of wrong classes: at 0 their loss would be infinite."""


def kernel_cross_entropy(exponents: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of kernels `K = exp(-exponents)` `(B, C)` with labels `(B,)`, as a mean over both.

    The kernel of the label's class should be 1, the others 0 (van Amersfoort et al. 2020, arXiv:2003.02037, eq. 2).
    It is computed from the exponents, so that a kernel of 1e-50 has a gradient, too.
    """
    is_class = F.one_hot(labels, exponents.shape[1]).bool()
    bounded = exponents.clamp(min=SMALLEST_EXPONENT)
    of_others = torch.where(bounded < 1.0, (-torch.expm1(-bounded)).log(), torch.log1p(-(-bounded).exp()))
    return torch.where(is_class, exponents, -of_others).mean()
