"""The duel of two discriminators: its schedule, its mixes, and the property of peer prediction."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from trainables.duel import agreement_loss, bump, draw_mix, duel_term


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_schedule_is_the_published_parabola_of_the_percentage():
    assert [bump(p) for p in (0.0, 0.5, 1.0)] == [0.0, 1.0, 0.0]
    for percent in (10, 37, 90):
        assert bump(percent / 100) == pytest.approx(-0.0004 * percent * (percent - 100))


@pytest.mark.parametrize("size", [2, 7, 16])
def test_a_mix_is_half_real_and_half_generated_and_holds_nothing_twice(size):
    mix = draw_mix(size, rng()).tolist()
    assert len(mix) == len(set(mix)) == 2 * (size // 2)
    assert sum(index < size for index in mix) == size // 2
    assert max(mix) < 2 * size


def test_mixes_differ_and_are_shuffled():
    generator = rng()
    mixes = [draw_mix(8, generator).tolist() for _ in range(20)]
    assert len({tuple(mix) for mix in mixes}) == 20
    assert any(mix[0] >= 8 for mix in mixes)


def test_agreement_is_torchs_cross_entropy_with_the_peers_probabilities():
    a, b = torch.randn(9, generator=rng()).double(), torch.randn(9, generator=rng(1)).double()
    assert agreement_loss(a, b).item() == pytest.approx(F.binary_cross_entropy(a.sigmoid(), b.sigmoid()).item())


def test_the_gradient_reaches_one_discriminator_and_not_the_other():
    own, peer = (torch.randn(12, generator=rng(seed), requires_grad=True) for seed in (0, 1))
    duel_term(own, peer, tuple(draw_mix(6, rng(seed)) for seed in (0, 1, 2)), 0.3).backward()
    assert own.grad.abs().sum() > 0
    assert peer.grad is None


def test_about_the_same_data_alone_the_term_is_zero():
    own, peer = torch.randn(12, generator=rng()), torch.randn(12, generator=rng(1))
    mix = draw_mix(6, rng())
    assert duel_term(own, peer, (mix, mix, mix), 1.0).item() == 0.0


def test_discriminators_that_know_nothing_gain_nothing_by_a_duel():
    """Peer prediction: of unrelated outputs, the term is 0 on average when both parts weigh the same."""
    generator, n = rng(), 4000
    terms = []
    for _ in range(50):
        own, peer = (torch.randn(2 * n, generator=generator) * 2 + 1 for _ in range(2))
        terms.append(duel_term(own, peer, tuple(draw_mix(n, generator) for _ in range(3)), 1.0))
    terms = torch.stack(terms)
    assert abs(terms.mean()) < 3 * terms.std() / 50**0.5
    assert abs(terms.mean()) < 0.01


def test_discriminators_that_both_know_gain_by_a_duel():
    n, generator = 1000, rng()
    truth = torch.cat([torch.full((n,), 3.0), torch.full((n,), -3.0)])
    assert duel_term(truth, truth, tuple(draw_mix(n, generator) for _ in range(3)), 1.0) < -1
