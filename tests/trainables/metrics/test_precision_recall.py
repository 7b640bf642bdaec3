from __future__ import annotations

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

from trainables.metrics import precision_recall as module
from trainables.metrics.precision_recall import density_coverage, manifold_radii, precision_recall


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


@pytest.mark.parametrize("chunk", [40, 10_000])
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0])
def test_density_and_coverage_are_those_of_their_authors(k, scale, chunk, monkeypatch) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    real, generated = features(150), features(110, scale, seed=1)
    expected = compute_prdc(real.numpy(), generated.numpy(), nearest_k=k)
    density, coverage = density_coverage(real, generated, k)
    assert density == pytest.approx(expected["density"], rel=1e-12)
    assert coverage == pytest.approx(expected["coverage"], rel=1e-12)
    assert density_coverage(real, generated, k, manifold_radii(real, k)) == (density, coverage)


def test_of_equal_distributions_density_is_one_and_coverage_near_it() -> None:
    """Naeem et al. 2020, section 3.3."""
    density, coverage = density_coverage(features(1500), features(1500, seed=1))
    assert density == pytest.approx(1.0, abs=0.05)
    assert coverage == pytest.approx(1 - 0.5**5, abs=0.02)


def test_an_outlier_among_the_real_ones_spoils_precision_and_leaves_density_alone() -> None:
    """It has a ball that holds everything."""
    real = torch.cat([features(300), torch.full((1, 8), 50.0)])
    noise = features(300, seed=1) + 10.0
    assert precision_recall(real, noise)[0] == 1.0
    assert density_coverage(real, noise)[0] < 0.25


@pytest.mark.parametrize("measured", [precision_recall, density_coverage])
@pytest.mark.parametrize(
    ("generated", "message"),
    [
        (torch.zeros(30, 7), r"must be \(n, d\)"),
        (torch.full((30, 8), torch.inf), "NaN or infinity"),
    ],
)
def test_refuses_other_features(measured, generated: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measured(features(30), generated)


def test_refuses_too_few_features() -> None:
    with pytest.raises(ValueError, match="no neighbour number 3: more than 3"):
        precision_recall(features(30), features(3))
    with pytest.raises(ValueError, match="no neighbour number 5: more than 5"):
        density_coverage(features(5), features(30))
