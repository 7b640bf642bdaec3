"""Every measure of the registry keeps the contract."""

from __future__ import annotations

import pytest

from trainables.measures import MEASURES
from trainables.measures.settings import (
    ClassificationSettings,
    DetectionSettings,
    FidelitySettings,
    PixelsSettings,
    PointsSettings,
    ReconstructionSettings,
    RestorationSettings,
    SharpnessSettings,
)
from trainables.testing import MeasureContract

SETTINGS = (
    (FidelitySettings(num_samples=64, kid_subsets=3), "digits"),
    (FidelitySettings(num_samples=64, kid_subsets=3, features="efficientnet"), "digits"),
    (PixelsSettings(num_samples=64), "digits"),
    (SharpnessSettings(num_samples=16), "digits"),
    (DetectionSettings(ood_sets=("scrambled",), num_scored=100, resamples=20), "digits"),
    (RestorationSettings(tasks=("noise0.1",), num_images=20, num_real=50, kid_subsets=3), "digits"),
    (ReconstructionSettings(num_images=50), "digits"),
    (ClassificationSettings(labels=(25,), draws=1), "digits"),
    (PointsSettings(num_samples=100, num_compared=100), "spiral"),
    (PointsSettings(num_samples=100, num_compared=100), "eight_gaussians"),
)


def test_every_measure_is_tested():
    assert {settings.measure for settings, _ in SETTINGS} == set(MEASURES)


def shown(param):
    settings, dataset = param
    return f"{getattr(settings, 'features', settings.measure)}-{dataset}"


@pytest.fixture(scope="class", params=SETTINGS, ids=shown)
def chosen(request):
    return request.param


class TestMeasures(MeasureContract):
    @pytest.fixture(scope="class")
    @classmethod
    def measure_settings(cls, chosen):
        return chosen[0]

    @pytest.fixture(scope="class")
    @classmethod
    def measured_dataset(cls, chosen):
        return chosen[1]
