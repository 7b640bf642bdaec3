from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from trainables.data.degradations import Hole, RandomMeasurements
from trainables.inversion import SearchSettings, invert
from trainables.methods.gan import Gan, GanConfig
from trainables.testing.data import tiny_images

EXACT = SearchSettings(lr=0.05, iterations=1500)


def new_rng(seed=0):
    return torch.Generator().manual_seed(seed)


def search(generator, observed, settings, restarts=1, operator=lambda images: images):
    return invert(generator, observed, generator.draw_latents(restarts, new_rng()), settings, operator)


class Affine:
    """`G(z) = W z + b`, images of 1x12x12 pixels, in float64."""

    def __init__(self, dim=4):
        self.weight = torch.randn(144, dim, generator=new_rng(1), dtype=torch.float64) / 4
        self.bias = torch.randn(144, generator=new_rng(2), dtype=torch.float64) / 4

    def draw_latents(self, n, rng):
        return torch.randn(n, self.weight.shape[1], generator=rng, dtype=torch.float64)

    def generate(self, latents):
        return (latents @ self.weight.T + self.bias).view(-1, 1, 12, 12)


@pytest.fixture
def affine():
    return Affine()


@pytest.fixture
def images():
    return torch.randn(3, 1, 12, 12, generator=new_rng(3), dtype=torch.float64)


def least_squares(affine, images, rows, ridge=0.0):
    """The minimisers of the mean over `rows` of the squared errors, plus `ridge` times the squared norm."""
    w = affine.weight.numpy()[rows]
    targets = (images.flatten(1) - affine.bias).numpy()[:, rows].T
    gram = w.T @ w / len(w) + ridge * np.eye(w.shape[1])
    return np.linalg.solve(gram, w.T @ targets / len(w)).T


def test_an_affine_generator_is_inverted_by_least_squares(affine, images):
    found = search(affine, images, EXACT)
    np.testing.assert_allclose(found.latents, least_squares(affine, images, np.arange(144)), atol=1e-4)
    torch.testing.assert_close(found.images, affine.generate(found.latents))


def test_with_a_prior_it_is_ridge_regression(affine, images):
    found = search(affine, images, SearchSettings(lr=0.05, iterations=1500, prior_weight=0.3))
    np.testing.assert_allclose(found.latents, least_squares(affine, images, np.arange(144), 0.3), atol=1e-4)


def test_only_what_is_left_of_an_image_is_explained(affine, images):
    hole = Hole(4)
    kept = np.flatnonzero(hole.mask(12, 12).numpy())
    found = search(affine, hole(images), EXACT, operator=hole)
    np.testing.assert_allclose(found.latents, least_squares(affine, images, kept), atol=1e-4)


def test_random_measurements_are_explained(affine, images):
    operator = RandomMeasurements(30)
    matrix, measured = operator.matrix(144).double(), operator(images)
    found = search(affine, measured, EXACT, operator=operator)
    a = (matrix @ affine.weight).numpy()
    expected = np.linalg.lstsq(a, (measured - affine.bias @ matrix.T).numpy().T, rcond=None)[0].T
    np.testing.assert_allclose(found.latents, expected, atol=1e-4)


def test_an_absolute_error_is_robust_to_outliers(affine):
    truth = affine.draw_latents(2, new_rng(5))
    spoiled = affine.generate(truth).clone()
    spoiled[:, :, 0, :6] += 10
    by_l1 = search(affine, spoiled, SearchSettings("l1", lr=0.02, iterations=1500))
    by_l2 = search(affine, spoiled, EXACT)
    assert (by_l1.latents - truth).abs().max() < 0.05
    assert (by_l2.latents - truth).abs().max() > 0.3


@pytest.fixture
def gan():
    method = Gan(GanConfig.tiny(), tiny_images(), torch.device("cpu"))
    method.train_round()
    return method


def test_an_image_of_the_generator_is_found_from_a_start_near_its_latent(gan):
    truth = gan.draw_latents(2, new_rng(7))
    near = truth + 0.01 * torch.randn(truth.shape, generator=new_rng())
    settings = SearchSettings(lr=0.01, iterations=400)
    found = invert(gan, gan.generate(truth).detach(), near[None], settings)
    assert found.losses.max() < 1e-6


def test_the_generator_stays_as_it_is(gan):
    before = copy.deepcopy(gan.generator.state_dict())
    gradients = [parameter.grad.clone() for parameter in gan.generator.parameters()]
    training = gan.generator.training
    search(gan, torch.zeros(2, *tiny_images().shape), SearchSettings(iterations=3), restarts=3)
    after = gan.generator.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert any("running_mean" in name for name in before)
    assert gan.generator.training == training
    assert all(
        torch.equal(old, parameter.grad) for old, parameter in zip(gradients, gan.generator.parameters(), strict=True)
    )


def test_images_inverted_alone_equal_those_inverted_together(gan):
    targets = torch.rand(3, *tiny_images().shape, generator=new_rng(8)) * 2 - 1
    settings = SearchSettings(iterations=20)
    together = search(gan, targets, settings, restarts=2)
    alone = torch.cat([search(gan, targets[i : i + 1], settings, restarts=2).images for i in range(3)])
    torch.testing.assert_close(together.images, alone, atol=1e-4, rtol=1e-3)


def test_the_best_start_and_the_best_iterate_are_kept(gan):
    targets = torch.rand(3, *tiny_images().shape, generator=new_rng(8)) * 2 - 1
    found = search(gan, targets, SearchSettings(iterations=10, lr=5.0), restarts=4)
    reached = (found.images - targets).flatten(1).square().mean(1)
    torch.testing.assert_close(reached, found.losses.min(1).values, atol=1e-5, rtol=1e-4)
    unmoved = search(gan, targets, SearchSettings(iterations=0), restarts=4)
    assert (found.losses <= unmoved.losses + 1e-6).all()
