"""The losses of GANs, by name, as pure functions of a discriminator's outputs.

`real` and `fake` are the outputs `s` `(B,)` on real and on generated data. In losses of probabilities the outputs are
logits, with `D = sigmoid(s)`. Losses are scalars to be minimised. Outputs of several members, `(K, B)`, have a loss
each, `(K,)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from trainables.losses import hinge_fake, hinge_real, two_sided_penalty

LossName = Literal["saturating", "non_saturating", "l2", "hinge", "wasserstein"]


@dataclass(frozen=True)
class AdversarialLoss:
    """What each network minimises: `discriminator(real, fake)` and `generator(fake)`."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]
    on_logits: bool
    """Whether the outputs are logits, so that `sigmoid(s)` is a probability."""
    logits: Callable[[Tensor], Tensor] | None
    """From outputs to the logits of the probability that data are real; None if outputs do not give a probability.

    Let `p` and `q` be the densities of real and generated data. The optimal output of the hinge loss is the sign of
    `p - q`, and the optimal output of the Wasserstein loss is defined up to a constant: neither gives `p / (p + q)`.
    """


def cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """`-mean(log D(x)) - mean(log(1 - D(G(z))))`: minus eq. 1 of [Tabak 2016]."""
    return F.softplus(-real).mean(-1) + F.softplus(fake).mean(-1)


def saturating(fake: Tensor) -> Tensor:
    """`mean(log(1 - D(G(z))))` ([Tabak 2016], eq. 3): negative; its gradient vanishes where D is sure."""
    return F.logsigmoid(-fake).mean(-1)


def non_saturating(fake: Tensor) -> Tensor:
    """`-mean(log D(G(z)))`: minus eq. 2 of [Tabak 2016]."""
    return F.softplus(-fake).mean(-1)


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """`mean((s - 1)^2)` on real and `mean(s^2)` on generated data.

    [Halbreich 2023] calls it "MSE loss" and gives no formula. Reading: the mean squared error to the labels 1 and 0
    replaces the cross-entropy, and is taken of the output itself, not of its sigmoid.
    """
    return (real - 1.0).square().mean(-1) + fake.square().mean(-1)


def least_squares_logits(outputs: Tensor) -> Tensor:
    """The logits of outputs that are probabilities, which are clamped to `[1e-6, 1 - 1e-6]`.

    For densities `p` of real and `q` of generated data, the optimal output is `p / (p + q)`.
    """
    return outputs.clamp(1e-6, 1 - 1e-6).logit()


def unchanged(outputs: Tensor) -> Tensor:
    """The logits of outputs that are logits."""
    return outputs


def least_squares_generator(fake: Tensor) -> Tensor:
    """`mean((s - 1)^2)`: the squared error to the label of real data."""
    return (fake - 1.0).square().mean(-1)


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """`mean(max(0, 1 - s))` on real and `mean(max(0, 1 + s))` on generated data."""
    return hinge_real(real) + hinge_fake(fake)


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """`mean(s)` on generated data minus `mean(s)` on real data: minus the estimated distance."""
    return fake.mean(-1) - real.mean(-1)


def minus_mean(fake: Tensor) -> Tensor:
    """`-mean(s)`: the generator's part of the hinge and the Wasserstein loss."""
    return -fake.mean(-1)


def gradient_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, shares: Tensor) -> Tensor:
    """`mean((||ds/dx|| - 1)^2)` at `x = share * real + (1 - share) * fake` (Gulrajani et al., 2017, eq. 3).

    `shares` `(B,)`, one for each pair, are uniform in [0, 1). The penalty is differentiable with respect to the
    discriminator's weights; `real` and `fake` are constants.
    """
    shares = shares.view(*shares.shape, *[1] * (real.dim() - shares.dim()))
    between = (fake + shares * (real - fake)).detach().requires_grad_()
    return two_sided_penalty(discriminator(between), between)


ADVERSARIAL_LOSSES: dict[LossName, AdversarialLoss] = {
    "saturating": AdversarialLoss(cross_entropy, saturating, True, unchanged),
    "non_saturating": AdversarialLoss(cross_entropy, non_saturating, True, unchanged),
    "l2": AdversarialLoss(least_squares_discriminator, least_squares_generator, False, least_squares_logits),
    "hinge": AdversarialLoss(hinge_discriminator, minus_mean, False, None),
    "wasserstein": AdversarialLoss(wasserstein_discriminator, minus_mean, False, None),
}
