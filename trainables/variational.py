"""The terms of a variational autoencoder's loss, as pure functions (Kingma and Welling 2014).

A term has one number for each example, in nats: `(B,)`. Codes are `(B, latent_dim)`, with an independent normal number
in each dimension; the prior is standard normal.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def reparameterise(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Codes of `N(mean, variance)` made of standard normal `noise`; differentiable."""
    return mean + torch.exp(log_variance / 2) * noise


def divergence_from_prior(mean: Tensor, log_variance: Tensor) -> Tensor:
    """`KL(N(mean, variance) || N(0, I))`."""
    return (mean.square() + log_variance.exp() - log_variance - 1).flatten(1).sum(1) / 2


def bernoulli_cost(logits: Tensor, x: Tensor) -> Tensor:
    """`-log p(x)` of pixels in [0, 1] as independent Bernoulli variables, of which gray ones are expectations."""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def normal_cost(predicted: Tensor, x: Tensor, std: float = 1.0) -> Tensor:
    """`-log p(x)` of independent normal numbers with means `predicted` and one deviation; images or features."""
    errors = ((x - predicted) / std).square().flatten(1)
    return errors.sum(1) / 2 + errors.shape[1] * (math.log(std) + math.log(2 * math.pi) / 2)
