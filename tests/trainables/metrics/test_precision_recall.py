from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

from trainables.metrics.precision_recall import manifold_radii, precision_recall


def features(n: int, scale: float = 1.0, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, scale, (n, 8)))


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0])
def test_agrees_with_torch_fidelity(k: int, scale: float) -> None:
    real, generated = features(150), features(110, scale, seed=1)
    expected = prc_features_to_metric(
        generated, real, prc_neighborhood=k, prc_batch_size=1000, save_cpu_ram=False, verbose=False
    )
    precision, recall = precision_recall(real, generated, k)
    assert precision == pytest.approx(expected[KEY_METRIC_PRECISION], abs=1e-6)
    assert recall == pytest.approx(expected[KEY_METRIC_RECALL], abs=1e-6)
    assert precision_recall(real, generated, k, manifold_radii(real, k)) == (precision, recall)


def test_of_equal_sets_both_are_one() -> None:
    assert precision_recall(features(50), features(50)) == (1.0, 1.0)


def test_collapse_costs_recall_and_noise_costs_precision() -> None:
    real = features(200)
    precision, recall = precision_recall(real, real[:1] + features(200, 0.01, seed=1))
    assert precision == 1.0
    assert recall < 0.1
    precision, recall = precision_recall(real, features(200, 20.0, seed=1))
    assert precision < 0.1
    assert recall > 0.9


@pytest.mark.parametrize(
    ("generated", "message"),
    [
        (torch.zeros(3, 8), "no neighbour number 3: more than 3"),
        (torch.zeros(30, 7), r"must be \(n, d\)"),
        (torch.full((30, 8), torch.inf), "NaN or infinity"),
    ],
)
def test_refuses_other_features(generated: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        precision_recall(features(30), generated)
