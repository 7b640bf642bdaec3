"""What the driver costs: 1,000 trials, or as many as one says, that do nothing, on real Ray, Optuna and MLflow.

The first hundred trials are the peer of the last hundred: a driver whose work grows with the study is seen here. CPU
seconds are less disturbed by other programs than seconds are.
"""

from __future__ import annotations

import math
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import study  # noqa: F401  sets what Ray reads when it is imported

# isort: split
import numpy as np
import optuna
from ray.tune import Trainable

from study.config import StudyConfig
from study.console import Console
from study.optuna_storage import open_storage
from study.planning import make_plan
from study.runner import run_study
from study.runs import read

FEWEST = 200
"""Trials that have a first and a last hundred."""


class Idle(Trainable):
    """Uses its whole budget at once. The objective depends on a setting, so there is something to find."""

    def setup(self, config: dict[str, Any]) -> None:
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.spec = new_config["spec"]
        return True

    def step(self) -> dict[str, Any]:
        distance = abs(math.log10(self.spec["config"]["image_lr"]) + 1.0)
        return {"fid_lenet_best": distance, "round": self.spec["rounds"], "done": True}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing to keep."""


class QuietConsole(Console):
    """Prints nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._console.quiet = True


class Usage(threading.Thread):
    """What this process uses: at each `times`, its CPU seconds so far and its resident memory in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.times: list[float] = []
        self.cpu: list[float] = []
        self.memory: list[float] = []
        self.start()

    def run(self) -> None:
        while True:
            status = Path("/proc/self/status").read_text()
            resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
            self.cpu.append(time.process_time())
            self.memory.append(int(resident.split()[1]) / 1024)
            self.times.append(time.time())
            time.sleep(0.5)

    def cpu_at(self, at: float) -> float:
        """The CPU seconds up to a time."""
        samples = len(self.times)
        return float(np.interp(at, self.times[:samples], self.cpu[:samples]))

    def memory_at(self, at: float) -> float:
        """The resident memory at a time, in MB."""
        samples = len(self.times)
        return float(np.interp(at, self.times[:samples], self.memory[:samples]))


def main(trials: int = 1000) -> None:
    """Seconds and CPU seconds a trial, the last hundred against the first, memory growth, and whether all was kept."""
    usage = Usage()
    with tempfile.TemporaryDirectory() as folder:
        config = StudyConfig(
            space="gradnorm",
            scale="smoke",
            name="idle",
            trials=max(trials, FEWEST),
            max_concurrent=1,
            storage_dir=Path(folder),
            no_report=True,
        )
        plan = make_plan(config)
        assert run_study(plan, QuietConsole(), trainable=Idle) == 0
        over, cpu_in_all = time.time(), time.process_time()
        told = optuna.load_study(study_name="idle", storage=open_storage(plan.optuna_storage)).trials
        ends = [trial.datetime_complete.timestamp() for trial in told if trial.datetime_complete]
        kept = read(plan.tracking_uri, "idle").trials
        finished = ((kept["status"] == "FINISHED") & kept["metrics.fid_lenet_best"].notna()).sum()
    print(f"{len(ends)} trials in Optuna, {finished} in MLflow")
    for name, start, end in (("all", 0, -1), ("first hundred", 0, 100), ("last hundred", -101, -1)):
        number = len(ends) - 1 if name == "all" else 100
        seconds, cpu = ends[end] - ends[start], usage.cpu_at(ends[end]) - usage.cpu_at(ends[start])
        print(f"{name}: {seconds / number:.3f} s a trial, {cpu / number:.3f} CPU s of it in the driver")
    for unit, at in (("s", ends), ("CPU s", [usage.cpu_at(end) for end in ends])):
        first, last = at[100] - at[0], at[-1] - at[-101]
        print(f"last hundred / first hundred: {last:.2f} {unit} / {first:.2f} {unit} = {last / first:.2f}")
    print(f"after the last trial: {over - ends[-1]:.1f} s, {cpu_in_all - usage.cpu_at(ends[-1]):.1f} CPU s")
    print(f"memory growth after the first hundred: {usage.memory_at(ends[-1]) - usage.memory_at(ends[100]):.0f} MB")
