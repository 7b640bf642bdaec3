"""Hamiltonian Monte Carlo on normal distributions, where everything is known in closed form."""

from __future__ import annotations

import pytest
import torch

from trainables.hamiltonian import HmcSettings, gradient_of, leapfrog, sample

MEAN = torch.tensor([1.0, -2.0], dtype=torch.float64)
COVARIANCE = torch.tensor([[1.0, 0.6], [0.6, 0.5]], dtype=torch.float64)
PRECISION = torch.linalg.inv(COVARIANCE)


def potential(x):
    return ((x - MEAN) @ PRECISION * (x - MEAN)).sum(1) / 2


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=rng(seed))


def energy(x, p):
    return potential(x) + p.square().sum(1) / 2


def test_the_gradient_is_that_of_the_closed_form():
    x = normal(5, 2)
    torch.testing.assert_close(gradient_of(potential)(x), (x - MEAN) @ PRECISION)


def test_the_dynamics_run_backwards_when_the_momentum_is_reversed():
    x, p = normal(5, 2), normal(5, 2, seed=1)
    there, turned = leapfrog(x, p, gradient_of(potential), 0.1, 7)
    back, momentum = leapfrog(there, -turned, gradient_of(potential), 0.1, 7)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(-momentum, p)


def error(step, gradient):
    """Over a fixed length of time."""
    x, p = normal(200, 2), normal(200, 2, seed=1)
    return (energy(*leapfrog(x, p, gradient, step, round(0.8 / step))) - energy(x, p)).abs().mean().item()


def test_the_energy_is_kept_up_to_the_square_of_the_step():
    coarse, fine, finest = (error(step, gradient_of(potential)) for step in (0.1, 0.05, 0.025))
    assert coarse / fine == pytest.approx(4, rel=0.15)
    assert fine / finest == pytest.approx(4, rel=0.15)


def test_by_the_gradient_of_another_potential_the_energy_is_not_kept():
    coarse, fine = (error(step, lambda x: x) for step in (0.1, 0.05))
    assert coarse / fine == pytest.approx(1, rel=0.1)


def run(gradient, settings, step=0.3, chains=400):
    start = normal(chains, 2, seed=3)
    return sample(start, potential, gradient, torch.tensor(step, dtype=torch.float64), settings, rng())


def test_the_chains_have_the_mean_and_the_covariance_of_the_distribution():
    found = run(gradient_of(potential), HmcSettings(20, 20, 5, 0.67, 0.0))
    positions = found.positions.reshape(-1, 2)
    torch.testing.assert_close(positions.mean(0), MEAN, atol=0.06, rtol=0)
    torch.testing.assert_close(positions.T.cov(), COVARIANCE, atol=0.06, rtol=0)


def test_the_step_adapts_to_the_acceptance_and_stays_after_the_burn_in():
    too_small = run(gradient_of(potential), HmcSettings(50, 1, 5, 0.67, 0.1), step=0.01)
    too_large = run(gradient_of(potential), HmcSettings(50, 1, 5, 0.67, 0.1), step=2.0)
    assert too_small.step > 0.05
    assert too_large.step < 1.0
    assert run(gradient_of(potential), HmcSettings(0, 5, 5, 0.67, 0.1), step=0.3).step == pytest.approx(0.3)


def test_the_start_is_left_as_it_is_and_what_is_not_finite_is_rejected():
    start = normal(4, 2)
    before = start.clone()
    settings = HmcSettings(1, 2, 3, 0.67, 0.02)
    step = torch.tensor(0.1, dtype=torch.float64)
    sample(start, potential, gradient_of(potential), step, settings, rng())
    assert torch.equal(start, before)

    def walled(x):
        return torch.where((x - before).abs().amax(1) > 0, torch.nan, potential(x))

    stuck = sample(start, walled, gradient_of(potential), step, settings, rng())
    assert stuck.accepted == 0
    assert torch.equal(stuck.positions, before.expand(2, 4, 2))
