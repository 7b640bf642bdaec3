"""The picture of docs/looking.md: MLflow's page of a laptop study that is run for it."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.systems.browser import Charts, browser_page
from tests.systems.mlflow_server import MlflowServer

PICTURE = Path(__file__).parent.parent / "docs" / "looking.png"
STUDY = ("--space", "gradnorm", "--scale", "smoke", "--rounds", "60", "--trials", "8", "--scheduler", "none")
COLOURS = 64
SETTLED_MS = 5000
"""Charts are drawn step by step."""


def main() -> None:
    """Run the study, open its page, keep what it shows."""
    with tempfile.TemporaryDirectory() as folder:
        storage = Path(folder)
        command = [sys.executable, "-m", "study.launch", *STUDY, "--name", "looking", "--storage-dir", folder]
        screen = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        server = MlflowServer(storage / "server", f"sqlite:///{storage / 'mlflow.db'}")
        server.start()
        try:
            address = server.uri + re.findall(r"http://127\.0\.0\.1:5000(/#/\S+)", screen)[0]
            keep(address, PICTURE)
        finally:
            server.stop()


def keep(address: str, picture: Path, trials: int = 8) -> None:
    """Keep what a page of charts shows, in few colours, so that the file is small."""
    with browser_page(1600, 1150) as page:
        charts = Charts(page, address)
        charts.wait_for_trials(trials)
        charts.lines("fid_lenet_best")
        last = charts.card("samples").get_by_role("slider").get_attribute("aria-valuemax")
        charts.images("samples", int(last or 0))
        page.wait_for_timeout(SETTLED_MS)
        page.screenshot(path=picture)
    with Image.open(picture) as image:
        image.convert("RGB").quantize(COLOURS).save(picture, optimize=True)
    print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
