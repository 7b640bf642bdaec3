"""The pictures of the documentation, of the newest study in outputs/: its report, and of the main study more.

Chromium opens the pages as a reader would. `python -m benchmarks mlflow_ui` measures how long they take.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

import study
from study.runs import newest
from study.ui import addresses
from tests.systems.browser import Charts, browser_page
from tests.systems.mlflow_server import MlflowServer
from trainables.data.cache import prepare
from trainables.data.scramble import scramble_strips
from trainables.data.tensors import to_tensor
from trainables.measures.image_figures import save_sample_grid
from trainables.methods.discriminator_only_config import DiscriminatorOnlyConfig

OUTPUTS, DOCS = Path("outputs"), Path("docs")
DESK, REPORT, PHONE = (1600, 1200), (1600, 860), (400, 900)
GAP = 16
SCRAMBLED = 16
"""Images that are shown scrambled."""
SETTLED_MS = 8000
"""How long a page may draw after its last request."""


def main() -> None:
    """Write docs/report-SPACE.png; of `gradnorm` report.png instead, its best trial, MLflow's pages, scrambled.png."""
    database = f"sqlite:///{OUTPUTS.absolute() / 'mlflow.db'}"
    name = newest(database)
    loaded = study.load(name, storage_dir=OUTPUTS)
    report = (OUTPUTS / "studies" / name / "report.html").absolute().as_uri()
    space = loaded.recorded.study["params.space"]
    if space != "gradnorm":
        _keep(report, f"report-{space}", REPORT)
        return
    trial = loaded.best().name
    best_trial(OUTPUTS / "studies" / name / "trials" / f"{trial:04d}" / "pictures").save(DOCS / "laptop-study.png")
    with tempfile.TemporaryDirectory() as folder:
        server = MlflowServer(Path(folder), database)
        server.start()
        try:
            charts, comparison, *_ = addresses(name, database, server.uri).values()
            _keep(charts, "mlflow-charts", DESK, wait_for=Charts.titles)
            _keep(comparison, "mlflow-comparison", DESK)
        finally:
            server.stop()
    _keep(report, "report", REPORT)
    _keep(report, "report-phone", PHONE)
    scrambled(DOCS / "scrambled.png")


def scrambled(path: Path) -> None:
    """Training images of `mnist5k`, and below them the same scrambled ([Yesilcimen 2022], section 3.2)."""
    real = to_tensor(prepare("mnist5k", OUTPUTS / "cache").train.examples[:SCRAMBLED])
    widest = DiscriminatorOnlyConfig().max_strip
    images = torch.cat([real, scramble_strips(real, widest, torch.Generator().manual_seed(0))])
    save_sample_grid(images, path, columns=SCRAMBLED)
    print(path)


def best_trial(pictures: Path) -> Image.Image:
    """A trial's samples, twice as large, beside its discriminator's scores and its nearest training images."""
    samples, scores, nearest = (Image.open(pictures / f"{name}.png") for name in ("samples", "scores", "nearest"))
    samples = samples.resize((2 * samples.width, 2 * samples.height), Image.Resampling.NEAREST)
    scores = scores.resize((nearest.width, scores.height * nearest.width // scores.width), Image.Resampling.LANCZOS)
    height = max(samples.height, scores.height + GAP + nearest.height)
    sheet = Image.new("RGB", (samples.width + GAP + nearest.width, height), "white")
    sheet.paste(samples, (0, 0))
    sheet.paste(scores, (samples.width + GAP, 0))
    sheet.paste(nearest, (samples.width + GAP, scores.height + GAP))
    return sheet


def _keep(url: str, name: str, size: tuple[int, int], wait_for: Callable[[Charts], object] | None = None) -> None:
    """The first screen of a page, as a picture."""
    with browser_page(*size) as page:
        charts = Charts(page, url)
        if wait_for is not None:
            wait_for(charts)
        page.wait_for_timeout(SETTLED_MS)
        page.screenshot(path=DOCS / f"{name}.png")
    print(f"docs/{name}.png")
