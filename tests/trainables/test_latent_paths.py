from __future__ import annotations

import math

import pytest
import torch

from trainables.latent_paths import largest_step, linear, relative_length, spherical

T = torch.linspace(0, 1, 9, dtype=torch.float64)


def latents(n=5, d=20, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("path", [linear, spherical])
def test_a_path_begins_and_ends_at_its_ends(path):
    first, second = latents(), latents(seed=1)
    points = path(first, second, T)
    assert points.shape == (5, 9, 20)
    torch.testing.assert_close(points[:, 0], first)
    torch.testing.assert_close(points[:, -1], second)


def test_a_circle_keeps_the_norm_has_constant_speed_and_the_bisector_in_its_middle():
    first, second = (x / x.norm(dim=1, keepdim=True) for x in (latents(), latents(seed=1)))
    points = spherical(first, second, T)
    torch.testing.assert_close(points.norm(dim=2), torch.ones(5, 9, dtype=torch.float64))
    angles = torch.acos((points[:, 1:] * points[:, :-1]).sum(2))
    torch.testing.assert_close(angles, angles[:, :1].expand(-1, 8))
    middle, bisector = points[:, 4], first + second
    torch.testing.assert_close(middle, bisector / bisector.norm(dim=1, keepdim=True))


def test_the_middle_of_a_line_between_normal_latents_is_too_near_to_0():
    first, second = latents(2000, 100), latents(2000, 100, seed=1)
    half = torch.tensor([0.5], dtype=torch.float64)
    assert linear(first, second, half).norm(dim=2).mean().item() == pytest.approx(math.sqrt(50), rel=0.02)
    assert spherical(first, second, half).norm(dim=2).mean().item() == pytest.approx(math.sqrt(100), rel=0.02)


def test_where_no_circle_is_defined_it_is_the_line():
    first = torch.stack([latents(1)[0], torch.zeros(20, dtype=torch.float64)])
    second = torch.stack([first[0] * 3, latents(1, seed=1)[0]])
    torch.testing.assert_close(spherical(first, second, T), linear(first, second, T))


def test_lengths_and_jumps_of_paths_on_the_plane():
    straight = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]])
    corner = torch.tensor([[[0.0, 0.0], [3.0, 0.0], [3.0, 1.0]]])
    assert relative_length(straight) == largest_step(straight) == 1
    assert relative_length(corner) == pytest.approx(4 / math.sqrt(10))
    assert largest_step(corner) == pytest.approx(1.5)
