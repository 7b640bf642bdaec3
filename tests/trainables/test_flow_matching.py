"""Flow matching against the closed form for normal data: `x0 ~ N(0, 1)`, `x1 ~ N(m, s^2)`."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from trainables.flow_matching import draw_times, integrate, matching_loss

MEAN, STD = 1.5, 0.4


def optimal_velocity(x, times, mean=MEAN, std=STD):
    """The conditional mean of `x1 - x0` given `(1 - t) x0 + t x1 = x`, by the rule for jointly normal numbers."""
    t = times.view(-1, *[1] * (x.dim() - 1))
    covariance, variance = t * std**2 - (1 - t), (1 - t) ** 2 + t**2 * std**2
    return mean + covariance / variance * (x - t * mean)


def new_rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_trained_network_has_the_optimal_velocity():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
    adam = torch.optim.Adam(network.parameters(), lr=2e-2)
    rng = new_rng()

    def velocity(x, times):
        return network(torch.cat([x, times[:, None]], dim=1))

    for step in range(700):
        adam.param_groups[0]["lr"] = 2e-2 * (1 + math.cos(math.pi * step / 700)) / 2
        x0, x1 = torch.randn(1024, 1, generator=rng), MEAN + STD * torch.randn(1024, 1, generator=rng)
        loss = matching_loss(velocity, x0, x1, draw_times(1024, "uniform", rng))
        adam.zero_grad()
        loss.backward()
        adam.step()
    times = torch.rand(2000, generator=rng)
    t = times[:, None]
    x = (1 - t) * torch.randn(2000, 1, generator=rng) + t * (MEAN + STD * torch.randn(2000, 1, generator=rng))
    error = (velocity(x, times) - optimal_velocity(x, times)).square().mean().sqrt()
    assert error < 0.1 * optimal_velocity(x, times).std()


def test_the_optimal_velocity_has_the_lowest_loss():
    """What remains is the variance of `x1 - x0` that the point does not explain, `1 + s^2 - c^2 / v` at each time."""
    rng, n = new_rng(), 200_000
    x0, x1 = torch.randn(n, 1, generator=rng), MEAN + STD * torch.randn(n, 1, generator=rng)
    times = torch.full((n,), 0.3)
    covariance, variance = 0.3 * STD**2 - 0.7, 0.7**2 + 0.3**2 * STD**2
    lowest = 1 + STD**2 - covariance**2 / variance
    assert matching_loss(optimal_velocity, x0, x1, times).item() == pytest.approx(lowest, rel=0.02)
    shifted = matching_loss(lambda x, t: optimal_velocity(x, t) + 0.1, x0, x1, times).item()
    assert shifted == pytest.approx(lowest + 0.01, rel=0.02)


def test_heun_ends_at_the_data_with_an_error_of_second_order():
    """The exact flow maps `x` to `m + s x`: its path at time t is `t m + sqrt((1 - t)^2 + t^2 s^2) x`."""
    start = torch.linspace(-3, 3, 101, dtype=torch.float64)[:, None]
    errors = [(integrate(optimal_velocity, start, k) - (MEAN + STD * start)).abs().max().item() for k in (20, 40, 80)]
    ratios = [before / after for before, after in pairwise(errors)]
    assert all(3.3 < ratio < 4.7 for ratio in ratios), ratios
    assert errors[-1] < 1e-2


def test_samples_of_the_optimal_velocity_have_the_mean_and_the_deviation_of_the_data():
    made = integrate(optimal_velocity, torch.randn(50_000, 1, generator=new_rng()).double(), 40)
    assert made.mean().item() == pytest.approx(MEAN, abs=0.01)
    assert made.std().item() == pytest.approx(STD, abs=0.01)


def test_one_step_of_euler_ends_at_the_mean_of_the_data_from_anywhere():
    start = torch.tensor([[-5.0], [0.0], [7.0]])
    assert torch.allclose(integrate(optimal_velocity, start, 1), torch.full((3, 1), MEAN), atol=1e-5)


def test_steps_take_twice_as_many_evaluations_less_one_and_all_times_are_in_order():
    seen = []

    def velocity(x, times):
        seen.append(times[0].item())
        return torch.zeros_like(x)

    integrate(velocity, torch.zeros(2, 3), 5)
    assert seen == pytest.approx([0, 0.2, 0.2, 0.4, 0.4, 0.6, 0.6, 0.8, 0.8])
    assert len(seen) == 9


def test_times_are_uniform_or_the_sigmoid_of_a_normal_number():
    uniform, logit_normal = (draw_times(40_000, s, new_rng()).numpy() for s in ("uniform", "logit_normal"))
    assert uniform.mean() == pytest.approx(0.5, abs=0.01)
    assert uniform.std() == pytest.approx(12**-0.5, abs=0.01)
    assert np.log(logit_normal / (1 - logit_normal)).std() == pytest.approx(1, abs=0.02)
    assert 0 < logit_normal.min() < logit_normal.max() < 1
