"""Metrics of class probabilities against scikit-learn and against sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss

from trainables.metrics.classification import accuracy, calibration_error, log_likelihood


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    return rng.dirichlet(np.full(4, 0.3), size=500).astype(np.float32), rng.integers(0, 4, 500)


def test_accuracy_and_likelihood_are_scikit_learns(predictions):
    probabilities, labels = predictions
    assert accuracy(*predictions) == accuracy_score(labels, probabilities.argmax(1))
    expected = -log_loss(labels, probabilities.astype(np.float64), labels=range(4))
    assert log_likelihood(*predictions) == pytest.approx(expected, rel=1e-4)


def test_a_label_that_was_excluded_has_a_finite_likelihood():
    assert -100 < log_likelihood(np.array([[1.0, 0.0]], np.float32), np.array([1])) < -80


def test_calibration_is_the_difference_of_confidence_and_accuracy_in_each_bin(predictions):
    """A loop over the intervals, as in eq. 3 of Guo et al. 2017."""
    probabilities, labels = predictions
    confidence = probabilities.max(1)
    expected = 0.0
    for m in range(15):
        inside = (confidence > m / 15) & (confidence <= (m + 1) / 15)
        if inside.any():
            gap = abs((probabilities.argmax(1) == labels)[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
    assert calibration_error(*predictions) == pytest.approx(expected, abs=1e-6)


def test_calibration_by_hand():
    """Two of four are right at a confidence of 0.9; at 0.6 one of one is right."""
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.4, 0.6]])
    labels = np.array([0, 0, 1, 1, 1])
    assert calibration_error(probabilities, labels) == pytest.approx((4 * 0.4 + 1 * 0.4) / 5)
