"""Every loss against its formula written out, or finite differences, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from trainables import losses


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
