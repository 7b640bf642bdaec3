from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from trainables.methods.image_descent import DescentSettings, PlateauAdam, descend


def quadratic(target):
    def objective(x):
        return (x - target).square().sum() + 1.0, -(x - target).flatten(1).square().sum(1)

    return objective


@pytest.mark.parametrize("scalar", [float, torch.tensor], ids=["on the host", "on the device"])
def test_equals_torch_adam_with_reduce_on_plateau(scalar):
    """The loss falls, stalls and rises, so that the rate is reduced several times, down to its floor."""
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(3, 2, 4, 4, generator=generator)
    settings = DescentSettings(lr=0.1, max_updates=1, patience=3, min_lr=0.02)
    ours = PlateauAdam(start.clone(), settings)
    theirs = start.clone().requires_grad_()
    adam = torch.optim.Adam([theirs], lr=0.1)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(adam, factor=0.5, patience=3, min_lr=0.02)
    rates = set()
    for update in range(60):
        gradient = torch.randn(start.shape, generator=generator)
        loss = 100.0 / (update + 1) if update < 20 else 7.0 + update % 5
        ours.step(gradient, scalar(loss), scalar(1.0))
        theirs.grad = gradient.clone()
        adam.step()
        plateau.step(loss)
        rates.add(round(plateau.get_last_lr()[0], 6))
        assert float(ours.lr) == pytest.approx(plateau.get_last_lr()[0], rel=1e-6)
        assert torch.allclose(ours.x, theirs, atol=1e-5)
    assert rates == {0.1, 0.05, 0.025, 0.02}


def test_uses_all_updates_where_the_target_is_out_of_reach():
    start = torch.zeros(2, 1, 4, 4)
    descent = descend(start, quadratic(1.0), DescentSettings(lr=0.1, max_updates=7, score_target=1.0))
    assert descent.num_updates.item() == 7


def test_stops_with_the_update_that_follows_the_target():
    """Algorithm 1 updates the images, then looks at the scores from before the update."""
    seen = []

    def objective(x):
        loss, scores = quadratic(1.0)(x)
        seen.append(scores.detach().mean().item())
        return loss, scores

    start = torch.zeros(2, 1, 4, 4)
    descent = descend(start, objective, DescentSettings(lr=0.1, max_updates=100, score_target=-1.0))
    assert descent.num_updates.item() == len(seen) < 100
    assert seen[-1] >= -1.0
    assert all(score < -1.0 for score in seen[:-1])
    assert quadratic(1.0)(descent.images)[1].mean().item() > seen[-1]


def test_members_of_a_stack_that_all_stop_after_one_update_have_numbers_of_their_own():
    def objective(x):
        scores = x.flatten(2).sum(-1) + 2.0
        return (1 - scores).mean(-1), scores

    made = descend(torch.zeros(3, 4, 1, 2, 2), objective, DescentSettings(lr=0.1, max_updates=5))
    assert made.num_updates.tolist() == [1.0, 1.0, 1.0]
    assert made.loss.shape == made.mean_score.shape == (3,)


def test_checking_seldom_gives_the_same_images(monkeypatch):
    """On an accelerator the host looks every few updates; the updates in between must change nothing."""
    start = torch.zeros(2, 1, 4, 4)
    settings = DescentSettings(lr=0.1, max_updates=100, score_target=-1.0)
    every = descend(start, quadratic(1.0), settings)
    seldom = descend(start, quadratic(1.0), settings, updates_between_checks=16)
    assert torch.equal(every.images, seldom.images)
    assert torch.equal(every.num_updates, seldom.num_updates)
    assert torch.equal(every.loss, seldom.loss)


def test_leaves_the_start_alone():
    start = torch.zeros(2, 1, 4, 4)
    descend(start, quadratic(1.0), DescentSettings(lr=0.1, max_updates=3))
    assert torch.equal(start, torch.zeros(2, 1, 4, 4))


def test_terms_of_pixels_are_part_of_the_loss():
    """Given apart with their gradient, or as a part of the objective."""

    def both(x):
        loss, scores = quadratic(1.0)(x)
        return loss + 0.5 * x.pow(4).sum(), scores

    def pixel_terms(x, gradient):
        gradient += 2.0 * x.pow(3)
        return 0.5 * x.pow(4).sum()

    start = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    settings = DescentSettings(lr=0.1, max_updates=9, score_target=math.inf)
    apart = descend(start, quadratic(1.0), settings, pixel_terms)
    together = descend(start, both, settings)
    assert torch.allclose(apart.images, together.images, atol=1e-5)
    assert apart.loss.item() == pytest.approx(together.loss.item(), rel=1e-5)


def flat(x):
    """A loss without a slope."""
    return (0.0 * x).sum(), torch.zeros(len(x))


def test_noise_alone_is_a_random_walk():
    """After K updates the variance is K times that of an update."""
    settings = DescentSettings(lr=0.1, max_updates=9, noise=0.2)
    start, rng = torch.zeros(50, 1, 20, 20), torch.Generator().manual_seed(0)
    walked = descend(start, flat, settings, noise=lambda: torch.randn(start.shape, generator=rng)).images
    assert walked.mean().item() == pytest.approx(0.0, abs=0.01)
    assert walked.var().item() == pytest.approx(9 * 0.2**2, rel=0.03)


def test_noise_is_added_to_the_update():
    start = torch.zeros(2, 1, 4, 4)
    one = DescentSettings(lr=0.1, max_updates=1)
    still = descend(start, quadratic(1.0), one).images
    noise = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(7))
    noisy = descend(start, quadratic(1.0), replace(one, noise=0.3), noise=noise.clone).images
    assert torch.allclose(noisy - still, 0.3 * noise, atol=1e-6)


def test_without_noise_nothing_is_drawn():
    drawn = []
    settings = DescentSettings(lr=0.1, max_updates=3)
    descend(torch.zeros(2, 1, 4, 4), flat, settings, noise=lambda: drawn.append(1) or torch.zeros(2, 1, 4, 4))
    assert not drawn


def test_clipped_images_are_in_range_after_every_update():
    """As Adam of torch with a projection; the target is in the range for half of the pixels."""
    target = torch.linspace(-3.0, 3.0, 32).view(2, 1, 4, 4)
    start = 2 * torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    seen = []

    def objective(x):
        seen.append(x.detach().clone())
        return quadratic(target)(x)

    images = descend(start, objective, DescentSettings(lr=0.1, max_updates=8, clip=True)).images
    theirs = start.clone().requires_grad_()
    adam = torch.optim.Adam([theirs], lr=0.1)
    for x in (*seen[1:], images):
        adam.zero_grad()
        (theirs - target).square().sum().backward()
        adam.step()
        with torch.no_grad():
            theirs.clamp_(-1.0, 1.0)
        assert torch.allclose(x, theirs, atol=1e-5)
        assert x.abs().max() <= 1.0
