"""A real study writes its report at its end, and a terminal shows its trials meanwhile."""

from __future__ import annotations

import re

import pytest

import study
from tests.systems.storage import of_tiny

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tiny(new_storage):
    """The storage folder of the study."""
    return new_storage()


@pytest.fixture
def screen(tiny, launch, monkeypatch):
    """What the study shows on a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes the pipe for a terminal
    return launch(tiny, *of_tiny(), "--name", "t", "--scheduler", "none", report=True)


def test_a_study_on_a_terminal_shows_its_trials_and_writes_its_report(screen, tiny):
    assert re.search(r"trial +\d  round \d of 4  (not evaluated yet|fid_lenet_best \d)", screen)
    assert re.search(r"\d of 2 trials done, ", screen)
    assert f"report: {tiny}/studies/t/report.html" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\n", "", screen)
    loaded = study.load("t", storage_dir=tiny)
    page = (tiny / "studies/t/report.html").read_text()
    assert f"Trial {loaded.best().name} was best" in page
    assert loaded.files.text(loaded.recorded.study["run_id"], "report.html") == page
    assert list(loaded.trials()["state"]) == ["finished", "finished"]
    assert loaded.samples(0).size[0] > 8
    first = loaded.curves(["fid_lenet"])
    assert list(first["round"].unique()) == [2, 4]
    assert "--no-report" not in page
    assert "data:image/png;base64," in page
