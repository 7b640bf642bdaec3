"""What a large study weighs in MLflow, and how long its page takes: 200 trials with 40 evaluations each.

Nothing is trained: the events of the trials are made and delivered as in a real study, with as many metrics and with
frames. Then Chromium opens the page of the charts. Smaller studies in the same run are the peer.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks._recorded_study import record
from study.mlflow_pages import charts_url
from study.runs import rows
from tests.systems.browser import Charts, browser_page, why_not
from tests.systems.mlflow_server import MlflowServer

SIZES = ((10, 10), (200, 40))
"""Trials, and evaluations of each."""


def megabytes(path: Path) -> float:
    """What a file, or all files in a folder, weigh."""
    return sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file()) / 1e6


def measure(storage: Path, trials: int, evaluations: int) -> None:
    """Record one study and open its page."""
    started = time.perf_counter()
    plan = record(storage, trials, evaluations)
    seconds = time.perf_counter() - started
    print(
        f"{trials} trials x {evaluations} evaluations: written in {seconds:.0f} s, "
        f"mlflow.db {megabytes(storage / 'mlflow.db'):.0f} MB, artifacts {megabytes(storage / 'mlartifacts'):.0f} MB",
        flush=True,
    )
    if why_not():
        return
    server = MlflowServer(storage / "server", plan.tracking_uri)
    server.start()
    try:
        study, _ = rows(server.uri, plan.name)
        with browser_page() as page:
            for visit in ("first visit", "second visit"):
                opened = time.perf_counter()
                charts = Charts(page, "about:blank")
                charts = Charts(page, charts_url(server.uri, study["experiment_id"], plan.name))
                charts.wait_for_trials(min(trials, 100))
                listed = time.perf_counter() - opened
                lines = charts.lines(plan.objectives[0])
                shown = time.perf_counter() - opened
                print(f"  {visit}: trials listed after {listed:.1f} s, {lines} curves shown after {shown:.1f} s")
    finally:
        server.stop()


def main() -> None:
    """The weight, and the seconds until the page shows the trials and their curves."""
    for trials, evaluations in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), trials, evaluations)
