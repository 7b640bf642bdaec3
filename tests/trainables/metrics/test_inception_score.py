from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, KEY_METRIC_ISC_STD, isc_features_to_metric

from trainables.metrics.inception_score import inception_score


@pytest.mark.parametrize("splits", [1, 3, 10])
def test_agrees_with_torch_fidelity(splits: int) -> None:
    logits = torch.from_numpy(np.random.default_rng(0).normal(scale=3.0, size=(105, 10)))
    expected = isc_features_to_metric(logits, splits=splits, shuffle=False)
    mean, std = inception_score(logits.softmax(dim=1).numpy(), splits)
    assert mean == pytest.approx(expected[KEY_METRIC_ISC_MEAN], rel=1e-12)
    assert std == pytest.approx(expected[KEY_METRIC_ISC_STD], rel=1e-9)


def test_ten_splits_are_the_mean_and_the_deviation_of_ten_scores_of_a_loop() -> None:
    """As in [Yamazaki 2017]: 5,000 images are ten times 500."""
    probabilities = np.random.default_rng(0).dirichlet(np.full(10, 0.05), size=5000) + 1e-12
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    scores = []
    for split in np.split(probabilities, 10):
        marginal = split.mean(axis=0)
        divergences = [sum(p * np.log(p / q) for p, q in zip(row, marginal, strict=True)) for row in split]
        scores.append(np.exp(np.mean(divergences)))
    mean, std = inception_score(probabilities, 10)
    assert mean == pytest.approx(np.mean(scores), rel=1e-10)
    assert std == pytest.approx(np.sqrt(np.mean(np.square(scores - np.mean(scores)))), rel=1e-8)
    assert mean < inception_score(probabilities)[0]


def test_of_undecided_predictions_is_one() -> None:
    assert inception_score(np.full((50, 10), 0.1)) == pytest.approx((1.0, 0.0))


def test_of_certain_and_balanced_predictions_is_the_number_of_classes() -> None:
    assert inception_score(np.tile(np.eye(10), (5, 1))) == pytest.approx((10.0, 0.0))


def test_of_one_class_alone_is_one() -> None:
    assert inception_score(np.tile(np.eye(10)[3], (50, 1))) == pytest.approx((1.0, 0.0))


def test_is_computed_in_float64() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(10), size=1000).astype(np.float32)
    assert inception_score(probabilities) == inception_score(probabilities.astype(np.float64))


@pytest.mark.parametrize(
    ("probabilities", "splits", "message"),
    [
        (np.full(10, 0.1), 1, "must be floats"),
        (np.eye(3, dtype=np.int64), 1, "must be floats"),
        (np.full((5, 2), 0.4), 1, "sum to 1"),
        (np.array([[1.5, -0.5]]), 1, "non-negative"),
        (np.full((5, 2), np.nan), 1, "sum to 1"),
        (np.full((5, 2), 0.5), 6, "6 splits"),
        (np.full((5, 2), 0.5), 0, "0 splits"),
        (np.zeros((0, 2)), 1, "0 images"),
    ],
)
def test_refuses_what_are_no_probabilities(probabilities: np.ndarray, splits: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        inception_score(probabilities, splits)
