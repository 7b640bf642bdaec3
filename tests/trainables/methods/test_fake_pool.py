from __future__ import annotations

import torch

from trainables.methods.fake_pool import FakePool, add_to_pools
from trainables.methods.stackable import Stackable


def make(size=6, slack=0.0, batch_size=2):
    return FakePool(size, slack, batch_size, (1, 1, 1), torch.device("cpu"))


def batch(*values):
    return torch.tensor(values).float().view(-1, 1, 1, 1)


def add(pool, images, score=None):
    """Add to the pool of a method that is alone."""

    class Alone(Stackable):
        step = networks = lambda self: {}

    method = Alone.__new__(Alone)
    method.pool = pool
    add_to_pools(method, images, score or by_value)


def by_value(images):
    return images.flatten()


def held(pool):
    return sorted(pool.images.flatten().tolist())


def test_keeps_everything_up_to_its_size():
    pool = make()
    for first in (0, 2, 4):
        add(pool, batch(first, first + 1), by_value)
    assert held(pool) == [0, 1, 2, 3, 4, 5]


def test_without_slack_each_batch_beyond_the_size_leaves_the_highest_scores():
    pool = make()
    for values in ((5, 1), (9, 2), (7, 3), (8, 0), (4, 6)):
        add(pool, batch(*values), by_value)
    assert held(pool) == [4, 5, 6, 7, 8, 9]


def test_with_slack_the_pool_is_scored_only_when_it_is_over_the_limit():
    pool = make(slack=0.5)
    calls = []

    def score(images):
        calls.append(len(images))
        return by_value(images)

    for first in range(0, 12, 2):
        add(pool, batch(first, first + 1), score)
    assert calls == [10]
    assert held(pool) == [4, 5, 6, 7, 8, 9, 10, 11]


def test_current_scores_decide_not_those_of_the_time_of_generation():
    pool = make()
    for values in ((0, 1), (2, 3), (4, 5)):
        add(pool, batch(*values), by_value)
    add(pool, batch(6, 7), lambda images: -by_value(images))
    assert held(pool) == [0, 1, 2, 3, 4, 5]


def test_draws_from_the_whole_pool_and_nothing_else():
    pool = make(size=100)
    add(pool, batch(1, 2), by_value)
    add(pool, batch(3, 4), by_value)
    drawn = pool.draw(200, torch.Generator().manual_seed(0)).flatten().tolist()
    assert set(drawn) == {1, 2, 3, 4}


def test_goes_on_from_its_state():
    pool = make()
    add(pool, batch(1, 2), by_value)
    other = make()
    other.load_state_dict(pool.state_dict())
    add(pool, batch(9, 9), by_value)
    assert held(other) == [1, 2]
