from __future__ import annotations

import pytest

from trainables.curves import Curves

NAMES = ("energy_early", "energy_late", "energy_area", "loss_late", "other_early")
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
            "loss_late": -1.5,
        }
    )


def test_one_evaluation_is_early_and_late():
    assert curves_of({60: 3.0}).properties(60) == {
        "energy_early": 3.0,
        "energy_late": 3.0,
        "energy_area": 3.0,
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
