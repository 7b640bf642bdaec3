from __future__ import annotations

import pytest
import torch

from trainables.methods.latents import Latents


@pytest.mark.parametrize(("distribution", "std"), [("uniform", 2.5 / 3**0.5), ("normal", 2.5)])
def test_latents_have_their_distribution(distribution, std):
    z = Latents(distribution, dim=1000, scale=2.5).draw(16, torch.Generator().manual_seed(0))
    assert z.shape == (16, 1000)
    assert z.mean().item() == pytest.approx(0, abs=0.1)
    assert z.std().item() == pytest.approx(std, rel=0.05)
    assert (z.abs().max() <= 2.5) == (distribution == "uniform")


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_latents_follow_from_the_generator(distribution):
    latents = Latents(distribution, dim=4)
    first, second, other = (latents.draw(3, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
