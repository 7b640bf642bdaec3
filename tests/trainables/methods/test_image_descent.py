from __future__ import annotations

import pytest
import torch

from trainables.methods.image_descent import DescentSettings, PlateauAdam, descend


def quadratic(target):
    def objective(x):
        return (x - target).square().sum() + 1.0, -(x - target).flatten(1).square().sum(1)

    return objective


def test_equals_torch_adam_with_reduce_on_plateau():
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
        loss = torch.tensor(100.0 / (update + 1) if update < 20 else 7.0 + update % 5)
        ours.step(gradient, loss, torch.ones(()))
        theirs.grad = gradient.clone()
        adam.step()
        plateau.step(loss.item())
        rates.add(round(plateau.get_last_lr()[0], 6))
        assert ours.lr.item() == pytest.approx(plateau.get_last_lr()[0], rel=1e-6)
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
