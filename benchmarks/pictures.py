"""The pictures of docs/looking.md and docs/report.md: MLflow's pages and the report of the newest study in outputs/.

Chromium opens them as a reader would. It measures nothing but how long the pages take.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from study.runs import newest
from study.ui import addresses
from tests.systems.browser import Charts, browser_page
from tests.systems.mlflow_server import MlflowServer

OUTPUTS, DOCS = Path("outputs"), Path("docs")
DESK, PHONE = (1600, 1200), (400, 900)
SETTLED_MS = 8000
"""How long a page may draw after its last request."""


def main() -> None:
    """Write docs/mlflow-charts.png, docs/mlflow-comparison.png, docs/report.png and docs/report-phone.png."""
    database = f"sqlite:///{OUTPUTS.absolute() / 'mlflow.db'}"
    name = newest(database)
    with tempfile.TemporaryDirectory() as folder:
        server = MlflowServer(Path(folder), database)
        server.start()
        try:
            charts, comparison, *_ = addresses(name, database, server.uri).values()
            _keep(charts, "mlflow-charts", DESK, wait_for=Charts.titles)
            _keep(comparison, "mlflow-comparison", DESK)
        finally:
            server.stop()
    report = (OUTPUTS / "studies" / name / "report.html").absolute().as_uri()
    _keep(report, "report", DESK)
    _keep(report, "report-phone", PHONE)


def _keep(url: str, name: str, size: tuple[int, int], wait_for: Callable[[Charts], object] | None = None) -> None:
    """The first screen of a page, as a picture."""
    with browser_page(*size) as page:
        started = time.perf_counter()
        charts = Charts(page, url)
        if wait_for is not None:
            wait_for(charts)
        shown = time.perf_counter() - started
        page.wait_for_timeout(SETTLED_MS)
        page.screenshot(path=DOCS / f"{name}.png")
    print(f"docs/{name}.png: {shown:.1f} s")
