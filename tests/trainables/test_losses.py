"""Every loss against its formula written out, or finite differences, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from trainables import losses
from trainables.adversarial_losses import cross_entropy, non_saturating
from trainables.losses import feature_matching, real_logits


@pytest.fixture
def images():
    return torch.randn(5, 2, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def critic():
    """A smooth function of images with a gradient that differs from image to image."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(24, 7), nn.Tanh(), nn.Linear(7, 1), nn.Flatten(0)).double()


def test_hinge_by_hand():
    scores = torch.tensor([-2.0, 0.5, 1.0, 3.0])
    assert losses.hinge_real(scores).item() == pytest.approx((3.0 + 0.5 + 0 + 0) / 4)
    assert losses.hinge_fake(scores).item() == pytest.approx((0 + 1.5 + 2.0 + 4.0) / 4)


def finite_difference_gradients(critic, images, step=1e-6):
    """dD(x_i)/dx_i by central differences, `(B, C*H*W)`."""
    flat = images.flatten(1)
    gradient = torch.empty_like(flat)
    for pixel in range(flat.shape[1]):
        offset = torch.zeros_like(flat)
        offset[:, pixel] = step
        plus, minus = critic((flat + offset).view_as(images)), critic((flat - offset).view_as(images))
        gradient[:, pixel] = (plus - minus) / (2 * step)
    return gradient.detach().numpy()


def test_gradient_norm_per_image_is_the_mean_of_the_norms(images, critic):
    expected = np.linalg.norm(finite_difference_gradients(critic, images), axis=1).mean()
    images.requires_grad_()
    assert losses.gradient_norm(critic(images), images).item() == pytest.approx(expected, rel=1e-6)


def test_gradient_norm_of_the_batch_mean_is_one_norm_over_the_batch(images, critic):
    expected = np.linalg.norm(finite_difference_gradients(critic, images) / len(images))
    images.requires_grad_()
    value = losses.gradient_norm(critic(images), images, "batch_mean").item()
    assert value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("reading", ["per_image", "batch_mean"])
def test_gradient_norm_trains_the_critic(images, critic, reading):
    """Its gradient with respect to a weight of the critic, by central differences."""
    images.requires_grad_()
    weight = critic[1].weight

    def value():
        return losses.gradient_norm(critic(images), images, reading)

    (gradient,) = torch.autograd.grad(value(), weight)
    step = 1e-6
    with torch.no_grad():
        weight[2, 5] += step
    above = value().item()
    with torch.no_grad():
        weight[2, 5] -= 2 * step
    below = value().item()
    assert gradient[2, 5].item() == pytest.approx((above - below) / (2 * step), rel=1e-5)


def test_gradient_norm_of_a_constant_critic_is_zero_and_harmless(images):
    images.requires_grad_()
    scale = torch.zeros((), dtype=torch.float64, requires_grad=True)
    value = losses.gradient_norm((images.flatten(1).sum(1)) * scale, images)
    (gradient,) = torch.autograd.grad(value, scale)
    assert value.item() == 0.0
    assert math.isfinite(gradient.item())


def test_r1_is_half_the_mean_squared_norm(images, critic):
    squares = (finite_difference_gradients(critic, images) ** 2).sum(1)
    images.requires_grad_()
    assert losses.r1(critic(images), images).item() == pytest.approx(squares.mean() / 2, rel=1e-6)


def test_r1_of_a_linear_critic_pulls_on_its_weights():
    """`D(x) = w x` has `1/2 ||w||^2`, whose gradient is `w`."""
    weights = torch.tensor([3.0, -4.0], dtype=torch.float64, requires_grad=True)
    x = torch.randn(7, 2, dtype=torch.float64, requires_grad=True)
    penalty = losses.r1(x @ weights, x)
    assert penalty.item() == pytest.approx(12.5, rel=1e-12)
    assert torch.allclose(torch.autograd.grad(penalty, weights)[0], weights)


def test_cross_entropy_is_equation_3_7_summed_over_the_batch():
    energies = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]], dtype=torch.float64)
    labels = torch.tensor([2, 0])
    p = np.exp(energies.numpy()) / np.exp(energies.numpy()).sum(1, keepdims=True)
    expected = -math.log(p[0, 2]) - math.log(p[1, 0])
    assert losses.summed_cross_entropy(energies, labels).item() == pytest.approx(expected, rel=1e-12)


# --- semi-supervised ------------------------------------------------------------------------------


def random_logits(*shape, seed=0):
    return 3 * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_a_softmax_over_one_more_class_has_the_real_logits_probability():
    logits = random_logits(20, 4)
    for extended, fake in (
        (torch.cat([logits, torch.zeros(20, 1)], 1), 0.0),
        (torch.cat([logits, random_logits(20, 1, seed=1)], 1), random_logits(20, 1, seed=1)[:, 0]),
    ):
        log_fake = extended.log_softmax(1)[:, -1]
        real = real_logits(logits, fake)
        assert torch.allclose(-F.softplus(real), log_fake, atol=1e-6)
        assert torch.allclose(F.logsigmoid(real), torch.log1p(-log_fake.exp()), atol=1e-6)


def test_the_unlabelled_loss_of_feature_matching_is_half_of_the_loss_with_a_logit_of_zero():
    """The published formula: -1/2 mean lse(u) + 1/2 mean softplus(lse(u)) + 1/2 mean softplus(lse(f))."""
    real, fake = random_logits(20, 4), random_logits(20, 4, seed=1)
    u, f = real.logsumexp(1), fake.logsumexp(1)
    published = (-u.mean() + F.softplus(u).mean() + F.softplus(f).mean()) / 2
    assert torch.allclose(cross_entropy(real_logits(real), real_logits(fake)) / 2, published, atol=1e-6)


def test_the_labelled_loss_of_sgan_is_the_one_of_the_classes_and_the_loss_of_being_real():
    logits, labels = random_logits(20, 4), torch.arange(20) % 4
    extended = torch.cat([logits, torch.zeros(20, 1, dtype=torch.float64)], 1)
    being_real = -F.logsigmoid(real_logits(logits)).mean()
    assert torch.allclose(F.cross_entropy(extended, labels), F.cross_entropy(logits, labels) + being_real, atol=1e-6)
    impossible = torch.cat([logits, torch.full((20, 1), -torch.inf, dtype=torch.float64)], 1)
    assert torch.allclose(F.cross_entropy(impossible, labels), F.cross_entropy(logits, labels), atol=1e-6)


def test_a_shift_of_all_logits_changes_nothing_and_one_of_the_classes_alone_the_unlabelled_loss_alone():
    logits, fake, labels = random_logits(20, 4), random_logits(20, seed=1), torch.arange(20) % 4
    assert torch.allclose(real_logits(logits + 5, fake + 5), real_logits(logits, fake))
    assert torch.allclose(real_logits(logits + 5), real_logits(logits) + 5)
    assert torch.allclose(F.cross_entropy(logits + 5, labels), F.cross_entropy(logits, labels))


def test_the_gradients_of_both_semi_supervised_losses_are_those_of_finite_differences():
    real, fake = (random_logits(6, 4, seed=seed).requires_grad_() for seed in (2, 3))

    def sgan(real, fake):
        real_, fake_ = (real_logits(x[:, :-1], x[:, -1]) for x in (real, fake))
        return F.cross_entropy(real, torch.arange(6) % 3) + cross_entropy(real_, fake_) + non_saturating(fake_)

    def improved(real, fake):
        unlabelled = cross_entropy(real_logits(real), real_logits(fake)) / 2
        return F.cross_entropy(real, torch.arange(6) % 3) + unlabelled + feature_matching(fake, real)

    assert torch.autograd.gradcheck(sgan, (real, fake))
    assert torch.autograd.gradcheck(improved, (real, fake))


def test_feature_matching_is_the_squared_distance_of_means_and_still_where_they_coincide():
    real, fake = random_logits(7, 5), random_logits(9, 5, seed=1).requires_grad_()
    expected = ((fake.detach().numpy().mean(0) - real.numpy().mean(0)) ** 2).mean()
    assert feature_matching(fake, real).item() == pytest.approx(expected, rel=1e-12)
    same = real.clone().requires_grad_()
    feature_matching(same, real).backward()
    assert not same.grad.any()


@pytest.mark.parametrize("length", [0.0, 0.5, 1.0, 3.0])
def test_the_two_sided_penalty_of_a_linear_function_is_how_far_its_weight_is_from_one(length):
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    weight = length * torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3
    assert losses.two_sided_penalty(x @ weight, x).item() == pytest.approx((length - 1) ** 2, abs=1e-12)


def test_the_cross_entropy_of_kernels_is_torchs_binary_cross_entropy():
    exponents = torch.rand(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 5 + 1e-3
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    expected = nn.functional.binary_cross_entropy((-exponents).exp(), nn.functional.one_hot(labels, 4).double())
    assert losses.kernel_cross_entropy(exponents, labels).item() == pytest.approx(expected.item(), rel=1e-10)


def test_a_kernel_that_is_almost_zero_still_pulls_and_one_that_is_one_is_not_infinitely_wrong():
    far = torch.tensor([[500.0, 0.0]], requires_grad=True)
    loss = losses.kernel_cross_entropy(far, torch.tensor([0]))
    loss.backward()
    assert torch.isfinite(loss)
    assert far.grad[0, 0].item() == pytest.approx(0.5)  # torch's own stops at a log of -100


def test_duqs_loss_with_its_penalty_has_correct_first_and_second_derivatives():
    """On a network of four units, in float64; smooth, so that finite differences hold."""
    torch.manual_seed(0)
    weight = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 0, 1, 1])
    embedding = torch.randn(2, 4, dtype=torch.float64)
    centroids = torch.randn(2, dtype=torch.float64)

    def loss(weight, x):
        exponents = ((x @ weight.T).tanh() @ embedding.T - centroids).square() + 0.1
        penalty = losses.two_sided_penalty((-exponents).exp().sum(1), x)
        return losses.kernel_cross_entropy(exponents, labels) + 0.5 * penalty

    assert torch.autograd.gradcheck(loss, (weight, x))
    assert torch.autograd.gradgradcheck(loss, (weight, x), atol=1e-4)
