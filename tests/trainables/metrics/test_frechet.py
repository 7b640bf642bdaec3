from __future__ import annotations

import numpy as np
import pytest
import torch
from pytorch_fid.fid_score import calculate_frechet_distance
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

from trainables.metrics import frechet
from trainables.metrics.frechet import frechet_distance, frechet_distance_of_moments, reference_statistics


def correlated(n: int, d: int, seed: int, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) / np.sqrt(d) + shift


def exactly_diagonal(scales: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """2d samples with that mean whose covariance is exactly diagonal; and the standard deviations."""
    steps = np.diag(scales)
    return mean + np.concatenate([steps, -steps]), scales * np.sqrt(2 / (2 * len(scales) - 1))


def distance(real: np.ndarray, generated: np.ndarray) -> float:
    return frechet_distance(reference_statistics(real), generated)


def distance_by_nuclear_norm(real: np.ndarray, generated: np.ndarray) -> float:
    """tr sqrt(S1 S2) as the sum of the singular values of A1 A2^T, where S = A^T A."""
    factors = [(x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (real, generated)]
    traces = sum((factor**2).sum() for factor in factors)
    trace_of_root = np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum()
    return ((real.mean(axis=0) - generated.mean(axis=0)) ** 2).sum() + traces - 2 * trace_of_root


@pytest.mark.filterwarnings("ignore:The `disp` argument:DeprecationWarning")
@pytest.mark.parametrize(("n", "d"), [(500, 16), (300, 64), (64, 64)])
def test_agrees_with_pytorch_fid(n: int, d: int) -> None:
    real, generated = correlated(400, d, seed=0), correlated(n, d, seed=1, shift=0.3)
    expected = calculate_frechet_distance(
        real.mean(axis=0),
        np.cov(real, rowvar=False),
        generated.mean(axis=0),
        np.cov(generated, rowvar=False),
    )
    assert distance(real, generated) == pytest.approx(expected, rel=1e-6)


@pytest.mark.filterwarnings("ignore:The `disp` argument:DeprecationWarning")
def test_agrees_with_torch_fidelity() -> None:
    real, generated = correlated(400, 32, seed=0), correlated(300, 32, seed=1, shift=0.3)
    statistics = (fid_features_to_statistics(torch.from_numpy(x)) for x in (generated, real))
    expected = fid_statistics_to_metric(*statistics, verbose=False)
    assert distance(real, generated) == pytest.approx(expected[KEY_METRIC_FID], rel=1e-6)


@pytest.mark.parametrize("block", [1, 7, 40, 1000])
@pytest.mark.parametrize("n", [30, 300])
def test_the_blocks_of_the_triangle_do_not_show(n: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, generated = correlated(300, 40, seed=0), correlated(n, 40, seed=1)
    real[:, 3] = real[:, 30]
    expected = distance_by_nuclear_norm(real, generated)
    monkeypatch.setattr(frechet, "BLOCK", block)
    assert distance(real, generated) == pytest.approx(expected, rel=1e-8)


def test_moments_give_the_same_as_the_features_they_are_of() -> None:
    reference = reference_statistics(correlated(300, 40, seed=0))
    for n in (20, 200):
        generated = correlated(n, 40, seed=1)
        of_moments = frechet_distance_of_moments(reference, generated.mean(axis=0), np.cov(generated, rowvar=False))
        assert of_moments == pytest.approx(frechet_distance(reference, generated), rel=1e-6)
    with pytest.raises(ValueError, match="length 3"):
        frechet_distance_of_moments(reference, np.zeros(3), np.eye(3))


def test_equals_the_closed_form_of_diagonal_gaussians() -> None:
    real, real_std = exactly_diagonal(np.array([1.0, 2.0, 3.0]), mean=np.zeros(3))
    shift = np.array([1.0, -2.0, 0.5])
    generated, generated_std = exactly_diagonal(np.array([2.0, 0.0, 3.5]), mean=shift)
    expected = (shift**2).sum() + ((real_std - generated_std) ** 2).sum()
    assert distance(real, generated) == pytest.approx(expected, rel=1e-12)


def test_of_a_shifted_set_is_the_squared_shift() -> None:
    real = correlated(200, 10, seed=0)
    assert distance(real, real + 0.5) == pytest.approx(10 * 0.5**2, rel=1e-9)


@pytest.mark.parametrize(("n_real", "n_generated"), [(200, 20), (20, 200), (20, 30), (30, 20)])
def test_is_exact_with_fewer_samples_than_dimensions(n_real: int, n_generated: int) -> None:
    real, generated = correlated(n_real, 50, seed=0), correlated(n_generated, 50, seed=1, shift=0.1)
    assert distance(real, generated) == pytest.approx(distance_by_nuclear_norm(real, generated), rel=1e-8)


def test_is_exact_for_singular_covariances() -> None:
    real, generated = correlated(100, 20, seed=0), correlated(100, 20, seed=1)
    real[:, :5] = 0.0
    generated[:, 5] = generated[:, 6]
    assert distance(real, generated) == pytest.approx(distance_by_nuclear_norm(real, generated), rel=1e-8)


@pytest.mark.parametrize("n", [5, 200])
def test_of_equal_images_is_their_distance_to_the_mean_plus_the_reference_trace(n: int) -> None:
    real = correlated(300, 20, seed=0)
    expected = ((1.0 - real.mean(axis=0)) ** 2).sum() + real.var(axis=0, ddof=1).sum()
    assert distance(real, np.ones((n, 20))) == pytest.approx(expected, rel=1e-9)


def test_accepts_a_reference_without_variance() -> None:
    generated = correlated(100, 4, seed=0)
    expected = (generated.mean(axis=0) ** 2).sum() + generated.var(axis=0, ddof=1).sum()
    assert distance(np.zeros((10, 4)), generated) == pytest.approx(expected, rel=1e-12)
    assert distance(np.zeros((10, 4)), np.zeros((10, 4))) == 0.0


@pytest.mark.parametrize(("n", "d"), [(1000, 50), (300, 512), (2, 3)])
def test_of_equal_sets_is_zero(n: int, d: int) -> None:
    features = 10.0 * correlated(n, d, seed=0).clip(min=0.0)
    assert 0.0 <= distance(features, features) < 1e-6


@pytest.mark.parametrize("n", [30, 300])
def test_does_not_depend_on_the_order_of_samples(n: int) -> None:
    real, generated = correlated(300, 40, seed=0), correlated(n, 40, seed=1)
    shuffled = np.random.default_rng(2).permutation(generated)
    assert distance(real, shuffled) == pytest.approx(distance(real, generated), rel=1e-9)


def test_is_computed_in_float64() -> None:
    real, generated = (correlated(100, 8, seed=s, shift=100.0).astype(np.float32) for s in (0, 1))
    expected = distance(real.astype(np.float64), generated.astype(np.float64))
    assert distance(real, generated) == pytest.approx(expected, rel=1e-12)


def test_reference_statistics_are_mean_and_unbiased_covariance() -> None:
    features = correlated(30, 50, seed=0, shift=1.0)
    statistics = reference_statistics(features)
    assert statistics.count == 30
    np.testing.assert_allclose(statistics.mean, features.mean(axis=0))
    np.testing.assert_allclose(statistics.covariance, np.cov(features, rowvar=False), atol=1e-12)
    root = statistics.covariance_root
    assert root.shape == (50, 29)
    np.testing.assert_allclose(root @ root.T, statistics.covariance, atol=1e-12)
    assert (np.triu(root, 1) == 0).all()


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((1, 4)), "at least 2 samples"),
        (np.zeros(4), "must be floats"),
        (np.zeros((5, 4), dtype=np.uint8), "must be floats"),
        (np.full((5, 4), np.nan), "NaN"),
        (np.full((5, 4), np.inf), "NaN or infinity"),
        (np.zeros((5, 3)), "length 3"),
    ],
)
def test_refuses_other_features(features: np.ndarray, message: str) -> None:
    reference = reference_statistics(correlated(10, 4, seed=0))
    with pytest.raises(ValueError, match=message):
        frechet_distance(reference, features)
