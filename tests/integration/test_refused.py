"""What the tracking server refuses is said at the end, and the exit status tells a script."""

from __future__ import annotations

import re
import sqlite3

import pytest

from tests.systems.outcome import METRICS, Outcome, check_complete
from tests.systems.storage import of_tiny

pytestmark = pytest.mark.slow

REFUSED = "recall_lenet"
"""A metric whose values the database does not take."""


def test_a_study_ends_with_1_where_pictures_or_a_metric_were_refused_and_has_all_else(storage, launch):
    (storage / "mlartifacts").write_text("a file where MLflow's folder should be")
    database = sqlite3.connect(storage / "mlflow.db")
    database.execute(
        f"CREATE TRIGGER refuse BEFORE INSERT ON metrics WHEN NEW.key LIKE '%{REFUSED}' "
        "BEGIN SELECT RAISE(ABORT, 'this metric is not taken'); END"
    )
    database.close()
    screen = launch(storage, *of_tiny(), "--trials", "1", "--max-concurrent", "1", "--name", "refused", status=1)
    assert "the tracking server refused a part of the study: " in screen
    assert "mlartifacts" in screen
    assert re.search(rf"metric \S*{REFUSED}: .*this metric is not taken", screen)
    outcome = Outcome.of(storage, "refused")
    assert REFUSED not in outcome.metrics["0000"]
    check_complete(outcome, 1, [2, 4], metrics=(*METRICS, "precision_lenet", f"{REFUSED}_best"))
