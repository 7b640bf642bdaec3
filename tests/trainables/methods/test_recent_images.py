from __future__ import annotations

import torch

from trainables.methods.recent_images import RecentImages

CPU = torch.device("cpu")


def batch(*levels):
    """Images of one pixel of these levels, 0 to 255, as floats in [-1, 1]."""
    return torch.tensor(levels).float().view(-1, 1, 1, 1) / 127.5 - 1


def held(recent):
    return recent.images.flatten().tolist()


def test_the_newest_are_kept_in_the_order_of_their_age():
    recent = RecentImages(3, (1, 1, 1), CPU)
    for levels in ((1, 2), (3, 4), (5, 6)):
        recent.add(batch(*levels))
    assert held(recent) == [4, 5, 6]


def test_of_a_batch_that_is_larger_the_last_are_kept():
    recent = RecentImages(2, (1, 1, 1), CPU)
    recent.add(batch(1, 2, 3))
    assert held(recent) == [2, 3]


def test_values_are_clamped_and_rounded_and_come_back():
    recent = RecentImages(4, (1, 1, 1), CPU)
    recent.add(torch.tensor([-3.0, -1.0, 0.001, 5.0]).view(-1, 1, 1, 1))
    assert held(recent) == [0, 0, 128, 255]
    assert torch.equal(recent.take(torch.tensor([3, 0])), batch(255, 0))


def test_draws_from_all_images_and_nothing_else():
    recent = RecentImages(4, (1, 1, 1), CPU)
    recent.add(batch(10, 20, 30))
    assert set(recent.draw(200, torch.Generator().manual_seed(0)).flatten().tolist()) == set(
        batch(10, 20, 30).flatten().tolist()
    )


def test_the_state_is_as_large_as_what_is_held_and_goes_into_another_size():
    recent, smaller = RecentImages(100, (1, 1, 1), CPU), RecentImages(2, (1, 1, 1), CPU)
    recent.add(batch(1, 2, 3))
    (state,) = recent.state_dict().values()
    assert state.nbytes == 3
    smaller.load_state_dict(recent.state_dict())
    recent.add(batch(9))
    assert held(smaller) == [2, 3]
    recent.clear()
    assert held(recent) == []
