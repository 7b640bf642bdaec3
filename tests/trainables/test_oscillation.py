from __future__ import annotations

import numpy as np
import pytest

from trainables.oscillation import Oscillation


def test_windows_of_any_length_give_the_deviation_of_all_values():
    values = np.random.default_rng(0).normal(1e3, 2.0, 100)
    oscillation = Oscillation()
    for window in np.split(values, [1, 3, 40, 41, 90]):
        oscillation.add("loss", list(window))
        oscillation.add("other", [5.0] * len(window))
    assert oscillation.deviations() == {"loss": pytest.approx(values.std(), rel=1e-9), "other": 0.0}


def test_it_goes_on_from_a_state():
    first, second = Oscillation(), Oscillation()
    first.add("loss", [1.0, 2.0])
    second.load_state_dict(first.state_dict())
    for oscillation in (first, second):
        oscillation.add("loss", [7.0])
    assert first.deviations() == second.deviations() == {"loss": pytest.approx(np.std([1.0, 2.0, 7.0]))}
