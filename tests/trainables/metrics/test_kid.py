from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

from trainables.metrics import kid
from trainables.metrics.kid import kernel_distance


def features(n: int, shift: float = 0.0, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(shift, 1, (n, 24)))


@pytest.mark.parametrize(("n", "m", "size", "subsets"), [(120, 150, 50, 40), (120, 150, 120, 3), (300, 200, 20, 5)])
def test_agrees_with_torch_fidelity_on_the_same_subsets(n: int, m: int, size: int, subsets: int) -> None:
    real, generated = features(n), features(m, shift=0.3, seed=1)
    expected = kid_features_to_metric(
        generated, real, kid_subsets=subsets, kid_subset_size=size, rng_seed=7, verbose=False
    )
    mean, std = kernel_distance(real, generated, subsets, size, seed=7)
    assert mean == pytest.approx(expected[KEY_METRIC_KID_MEAN], rel=1e-6)
    assert std == pytest.approx(expected[KEY_METRIC_KID_STD], rel=1e-6, abs=1e-12)


def test_the_way_of_summing_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    real, generated = features(90), features(80, shift=0.3, seed=1)
    at_once = kernel_distance(real, generated, 40, 30)
    monkeypatch.setattr(kid, "CHUNK", 7)
    assert kernel_distance(real, generated, 40, 30) == pytest.approx(at_once, rel=1e-12)


def test_is_unbiased_so_equal_distributions_are_at_zero_on_average() -> None:
    estimates = [kernel_distance(features(60, seed=2 * s), features(60, seed=2 * s + 1), 1, 60)[0] for s in range(60)]
    assert abs(np.mean(estimates)) < 3 * np.std(estimates) / np.sqrt(60)
    assert min(estimates) < 0


@pytest.mark.parametrize(
    ("generated", "size", "message"),
    [
        (torch.zeros(20, 24), 21, "subsets of 21 cannot be drawn from 30 real and 20 generated"),
        (torch.zeros(20, 24), 1, "subsets of 1"),
        (torch.zeros(20, 23), 10, r"must be \(n, d\)"),
        (torch.full((20, 24), torch.nan), 10, "NaN"),
    ],
)
def test_refuses_other_features(generated: torch.Tensor, size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kernel_distance(features(30), generated, 2, size)
