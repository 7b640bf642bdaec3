from __future__ import annotations

import pytest
import torch

from trainables.measures.subject import Subject


class Counting:
    def __init__(self):
        self.asked = []

    def sample(self, n, rng):
        self.asked.append(n)
        return torch.rand(n, 1, 2, 2, generator=rng)


class Choosing(Counting):
    def samples_to_evaluate(self, n, rng):
        return self.sample(n, rng)


@pytest.mark.parametrize("method", [Counting, Choosing])
def test_a_measure_that_asks_for_fewer_samples_gets_the_first_of_those_made(method):
    made = method()
    subject = Subject(made, seed=0)
    samples = subject.samples(30)
    assert torch.equal(subject.samples(20), samples[:20])
    assert torch.equal(subject.samples(30), samples)
    assert made.asked == [30]
    assert len(subject.samples(40)) == 40
