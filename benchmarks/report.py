"""What a report of 1,000 trials takes: seconds and bytes. The trials are told through the real writer, not trained."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import study
from benchmarks._timing import timed
from study.config import StudyConfig
from study.planning import make_plan
from study.reporting.html import as_html
from study.reporting.whole import make_report
from tests.systems.written_study import tell

TRIALS = 1000
MOST_SECONDS, MOST_MB = 20, 10


def distance(params: Mapping[str, Any], number: int) -> float:
    """An objective with a minimum among the rates."""
    return 30 + 8 * (math.log10(params["image_lr"]) + 1) ** 2 + (math.log10(params["discriminator_lr"]) + 2.5) ** 2


def main() -> None:
    """Seconds to read a study from MLflow's file and to write its report, and the report's size."""
    with tempfile.TemporaryDirectory() as folder:
        config = StudyConfig(space="gradnorm", name="large", trials=TRIALS, sampler="random", storage_dir=Path(folder))
        plan = make_plan(config)
        _, told = timed(lambda: tell(plan, distance, stops=True))
        processor = time.process_time()
        loaded, reading = timed(lambda: study.load("large", storage_dir=folder))
        page, writing = timed(lambda: as_html(make_report(loaded)))
        processor = time.process_time() - processor
        megabytes = len(page.encode()) / 1e6
    print(f"{TRIALS} trials told in {told:.0f} s")
    print(f"read in {reading:.1f} s, report made in {writing:.1f} s, {processor:.1f} s of processor time in all")
    print(f"{megabytes:.2f} MB")
    if reading + writing > MOST_SECONDS or megabytes > MOST_MB:
        print(f"more than {MOST_SECONDS} s or {MOST_MB} MB")
