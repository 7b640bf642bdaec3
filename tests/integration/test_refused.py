"""What the tracking server refuses is said at the end, and the exit status tells a script."""

from __future__ import annotations

import pytest

from tests.systems.outcome import Outcome, check_complete
from tests.systems.storage import of_tiny

pytestmark = pytest.mark.slow


def test_a_study_whose_pictures_were_refused_ends_with_1_and_has_all_of_its_metrics(storage, launch):
    (storage / "mlartifacts").write_text("a file where MLflow's folder should be")
    screen = launch(storage, *of_tiny(), "--trials", "1", "--max-concurrent", "1", "--name", "refused", status=1)
    assert screen.count("the tracking server refused a part of the study: ") == 1
    assert "mlartifacts" in screen
    check_complete(Outcome.of(storage, "refused"), 1, [2, 4])
