from __future__ import annotations

import numpy as np
import pytest
import torch

from trainables.curves import Curves
from trainables.evaluator import Evaluator
from trainables.measures.settings import PointsSettings
from trainables.preparation import prepare_protocol
from trainables.protocol import Protocol
from trainables.training import Training
from trainables.trial_spec import TrialSpec

NAMES = ("energy_early", "energy_late", "energy_area", "energy_rise", "loss_late", "other_early")
VALUES = {10: 8.0, 20: 6.0, 30: 4.0, 40: 4.0, 50: 2.0, 60: 1.0}


def curves_of(values, wanted=NAMES):
    curves = Curves(wanted)
    for at, value in values.items():
        curves.add(at, {"energy": value, "loss": -value, "unasked": 1.0})
    return curves


def test_the_properties_are_those_counted_by_hand():
    assert curves_of(VALUES).properties(60) == pytest.approx(
        {
            "energy_early": 7.0,
            "energy_late": 1.5,
            "energy_area": (70 + 50 + 40 + 30 + 15) / 50,
            "energy_rise": 1.5 - 7.0,
            "loss_late": -1.5,
        }
    )


def test_one_evaluation_is_early_and_late():
    assert curves_of({60: 3.0}).properties(60) == {
        "energy_early": 3.0,
        "energy_late": 3.0,
        "energy_area": 3.0,
        "energy_rise": 0.0,
        "loss_late": -3.0,
    }


def test_a_curve_goes_on_where_it_was():
    first, second = (dict(list(VALUES.items())[part]) for part in (slice(3), slice(3, None)))
    resumed = Curves(NAMES)
    resumed.load_state_dict(curves_of(first).state_dict())
    for at, value in second.items():
        resumed.add(at, {"energy": value, "loss": -value})
    assert resumed.properties(60) == curves_of(VALUES).properties(60)
    assert resumed.state_dict() == curves_of(VALUES).state_dict()


def test_a_training_reports_them_at_its_end_also_where_it_was_interrupted(tmp_path):
    protocol = Protocol(dataset="spiral", measures=(PointsSettings(num_samples=64, num_compared=64),))
    complete = prepare_protocol(protocol, tmp_path / "cache").protocol
    evaluator = Evaluator(complete, tmp_path / "cache", torch.device("cpu"))

    def training(name):
        spec = TrialSpec(
            number=0,
            method="discriminator_only_points",
            config={"hidden_units": 8, "batch_size": 16, "initial_epochs": 1},
            rounds=6,
            evaluate_every=2,
            protocol=complete,
            objective="energy",
            curves=("energy_late", "energy_area", "loss_classifier_early"),
            cache_dir=str(tmp_path / "cache"),
            folder=str(tmp_path / name),
        )
        return Training(spec, evaluator, torch.device("cpu"))

    whole = training("whole")
    reports = [whole.advance() for _ in range(3)]
    assert "energy_late" not in reports[1]
    assert reports[2]["energy_late"] == reports[2]["energy"]
    first, second, third = (report["energy"] for report in reports)
    assert reports[2]["energy_area"] == pytest.approx((first + 2 * second + third) / 4)
    assert reports[2]["loss_classifier_early"] == reports[0]["loss_classifier"]
    training("cut").advance()
    cut = training("cut")
    cut.advance()
    resumed = cut.advance()
    names = ("energy_late", "energy_area", "loss_classifier_early")
    assert np.array_equal([resumed[name] for name in names], [reports[2][name] for name in names])
