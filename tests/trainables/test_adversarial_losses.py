"""Every adversarial loss against its formula in float64 numpy, its gradient against central differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from trainables.adversarial_losses import ADVERSARIAL_LOSSES, gradient_penalty

REAL, FAKE = [1.7, -0.4, 0.2, -2.5], [-1.1, 0.6, 2.4, -0.05]


def probability(s):
    return 1 / (1 + np.exp(-s))


def cross_entropy(r, f):
    return -np.log(probability(r)).mean() - np.log(1 - probability(f)).mean()


def hinge(r, f):
    return np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean()


FORMULAS = {
    "saturating": (cross_entropy, lambda f: np.log(1 - probability(f)).mean()),
    "non_saturating": (cross_entropy, lambda f: -np.log(probability(f)).mean()),
    "l2": (lambda r, f: ((r - 1) ** 2).mean() + (f**2).mean(), lambda f: ((f - 1) ** 2).mean()),
    "hinge": (hinge, lambda f: -f.mean()),
    "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda f: -f.mean()),
}


def scores(values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def central_differences(function, x, step=1e-6):
    return [(function(x + d) - function(x - d)) / (2 * step) for d in np.eye(len(x)) * step]


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_the_losses_and_their_gradients_are_those_of_the_formulas(name):
    loss, (discriminator, generator) = ADVERSARIAL_LOSSES[name], FORMULAS[name]
    r, f = scores(REAL), scores(FAKE)
    real, fake = np.array(REAL), np.array(FAKE)
    value = loss.discriminator(r, f)
    assert value.item() == pytest.approx(discriminator(real, fake), rel=1e-12)
    gradients = torch.autograd.grad(value, (r, f))
    assert gradients[0].numpy() == pytest.approx(central_differences(lambda x: discriminator(x, fake), real), abs=1e-8)
    assert gradients[1].numpy() == pytest.approx(central_differences(lambda x: discriminator(real, x), fake), abs=1e-8)
    value = loss.generator(f)
    assert value.item() == pytest.approx(generator(fake), rel=1e-12)
    (gradient,) = torch.autograd.grad(value, f)
    assert gradient.numpy() == pytest.approx(central_differences(generator, fake), abs=1e-8)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_no_score_is_too_large_for_float32(name):
    """`log(1 - sigmoid(200))` is minus infinity unless it is taken of the logit."""
    loss = ADVERSARIAL_LOSSES[name]
    for sign in (-1, 1):
        s = torch.tensor([200.0 * sign], requires_grad=True)
        for value in (loss.generator(s), loss.discriminator(s, s), loss.discriminator(-s, s)):
            assert math.isfinite(value.item())
            (gradient,) = torch.autograd.grad(value, s)
            assert math.isfinite(gradient.item())


def test_the_saturating_loss_has_next_to_no_gradient_where_d_is_sure_and_the_others_have():
    gradients = {}
    for name, loss in ADVERSARIAL_LOSSES.items():
        s = scores([-12.0])
        (gradients[name],) = torch.autograd.grad(loss.generator(s), s)
    assert -1e-5 < gradients.pop("saturating").item() < 0
    assert all(gradient.item() < -0.99 for gradient in gradients.values())


@pytest.mark.parametrize("norm", [0.0, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_is_the_squared_distance_of_its_norm_to_one(norm):
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(12, dtype=torch.float64, generator=generator)
    w = (norm * w / w.norm()).requires_grad_()
    real, fake = torch.randn(2, 5, 3, 2, 2, dtype=torch.float64, generator=generator)
    penalty = gradient_penalty(lambda x: x.flatten(1) @ w, real, fake, torch.rand(5, generator=generator))
    assert penalty.item() == pytest.approx((norm - 1) ** 2, abs=1e-12)
    (gradient,) = torch.autograd.grad(penalty, w)
    expected = 2 * (norm - 1) * w.detach() / norm if norm else torch.zeros(12, dtype=torch.float64)
    assert torch.allclose(gradient, expected, atol=1e-12)


def test_the_penalty_is_taken_between_the_real_and_the_generated_example_of_a_pair():
    """Of `s = |x|^2 / 2`, whose gradient is `x`."""
    real, fake = torch.tensor([[3.0, 0.0], [0.0, 4.0]]), torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    shares = torch.tensor([0.25, 0.5])
    penalty = gradient_penalty(lambda x: x.square().sum(1) / 2, real, fake, shares)
    norms = [0.25 * 3 + 0.75 * 1, 0.5 * 4 + 0.5 * 2]
    assert penalty.item() == pytest.approx(sum((n - 1) ** 2 for n in norms) / 2)


def test_the_outputs_of_losses_with_probabilities_become_logits():
    """At the output that is optimal for densities `p` of real and `q` of generated data, the logit is `log(p / q)`."""
    p, q = torch.tensor([0.1, 2.0, 3.0]), torch.tensor([0.4, 2.0, 0.5])
    optimal = {"saturating": torch.log(p / q), "non_saturating": torch.log(p / q), "l2": p / (p + q)}
    for name, loss in ADVERSARIAL_LOSSES.items():
        if name in optimal:
            torch.testing.assert_close(loss.logits(optimal[name]), torch.log(p / q))
        else:
            assert loss.logits is None


def test_outputs_of_least_squares_beyond_the_labels_are_nearly_sure():
    logits = ADVERSARIAL_LOSSES["l2"].logits(torch.tensor([-3.0, 0.0, 0.5, 1.0, 1.7]))
    torch.testing.assert_close(torch.sigmoid(logits), torch.tensor([1e-6, 1e-6, 0.5, 1 - 1e-6, 1 - 1e-6]))
    assert logits.isfinite().all()
