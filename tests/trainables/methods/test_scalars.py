from __future__ import annotations

import math

import pytest
import torch

from trainables.methods.base import NonFiniteLossError
from trainables.methods.scalars import as_metrics, read
from trainables.testing.states import META


def test_on_the_cpu_metrics_are_numbers_at_once():
    assert as_metrics({"a": torch.tensor(0.5), "b": torch.tensor(2.0, dtype=torch.float64), "c": 3.0}, 7) == {
        "a": 0.5,
        "b": 2.0,
        "c": 3.0,
    }
    with pytest.raises(NonFiniteLossError, match="a became nan in round 7"):
        as_metrics({"a": torch.tensor(math.nan)}, 7)


def test_on_an_accelerator_they_stay_there_without_what_they_were_made_from():
    metrics = as_metrics({"a": torch.zeros((), device=META, requires_grad=True), "b": 3.0}, 7)
    assert metrics["a"].device == META
    assert not metrics["a"].requires_grad
    assert metrics["b"] == 3.0


def test_rounds_are_read_together():
    rounds = [{"a": torch.tensor(float(k)), "b": 10.0 * k} for k in range(3)]
    assert read(rounds, 1) == [{"a": float(k), "b": 10.0 * k} for k in range(3)]
    assert read([{"b": math.nan}], 1)[0].keys() == {"b"}  # a number was the method's to refuse


def test_the_first_round_that_is_not_finite_is_named():
    rounds = [{"a": torch.tensor(value), "b": torch.tensor(1.0)} for value in (0.0, math.inf, math.nan)]
    with pytest.raises(NonFiniteLossError, match="a became inf in round 12"):
        read(rounds, 11)
