"""optuna-dashboard opens the journal of a study, as docs/report.md says."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path

import pytest

from search_spaces.ablation import Ablation
from study.optuna_storage import ask, create_study, open_storage
from tests.systems.program import Server, free_port


class Dashboard(Server):
    """optuna-dashboard on a journal."""

    def __init__(self, journal: Path) -> None:
        port = free_port()
        self.uri = f"http://127.0.0.1:{port}"
        command = [Path(sys.executable).parent / "optuna-dashboard", journal, "--host", "127.0.0.1", "--port", port]
        super().__init__(command, journal.with_suffix(".log"))

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.uri + path, timeout=10) as response:
            return response.read().decode()

    def answers(self) -> bool:
        try:
            return bool(self.get("/api/studies"))
        except OSError:
            return False


@pytest.mark.slow
def test_the_dashboard_lists_the_study_and_its_trials(tmp_path):
    journal = tmp_path / "optuna.journal"
    study = create_study("night", open_storage(journal), ["minimize"], Ablation("smoke").first_trials())
    trial = ask(study, "tpe", 0)
    Ablation("smoke").suggest(trial)
    study.tell(trial, 3.0)
    dashboard = Dashboard(journal)
    dashboard.start()
    try:
        (listed,) = json.loads(dashboard.get("/api/studies"))["study_summaries"]
        assert listed["study_name"] == "night"
        trials = json.loads(dashboard.get(f"/api/studies/{listed['study_id']}"))["trials"]
        assert trials[0]["values"] == [3.0]
        assert "<html" in dashboard.get("/dashboard/").lower()
    finally:
        dashboard.kill_all()
