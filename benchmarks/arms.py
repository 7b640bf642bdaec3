"""The CPU time of a round of each arm of `found`, `found_mnist5k` and `compare`, from which their paces are set."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from search_spaces.compare import ALONE, Compare
from search_spaces.found import WITH, Found, FoundMnist5k
from trainables.data.cache import prepare
from trainables.methods.base import Method, method_class

SPACES = {Found: WITH, FoundMnist5k: WITH, Compare: ALONE}
"""The spaces, each with the arm whose pace is 1."""
TURNS = 4
"""Rounds of each arm, in turns, so that other work on the machine slows all of them."""
BEFORE = 1
"""Rounds that are not timed: the first ones pay for what later ones find."""


def main() -> None:
    """Print the milliseconds of a round of each arm, and its rounds for each round of the arm whose pace is 1."""
    torch.set_num_threads(1)  # as in a trial
    for space_class, unit in SPACES.items():
        space = space_class("laptop")
        with tempfile.TemporaryDirectory() as folder:
            dataset = prepare(space.scale.dataset, Path(folder))
        methods: dict[str, Method] = {}
        for point in space.points():
            suggestion = space.suggestion(point)
            build = method_class(suggestion.method or space.method_names[0])
            config = {**suggestion.config, **({"initial_epochs": 1} if "initial_epochs" in suggestion.config else {})}
            methods[point["arm"]] = build(build.Config(**config), dataset, torch.device("cpu"))
        seconds: dict[str, list[float]] = {arm: [] for arm in methods}
        for _ in range(BEFORE + TURNS):
            for arm, method in methods.items():
                started = time.thread_time()
                method.train_round()
                seconds[arm].append(time.thread_time() - started)
        rounds = {arm: median(times[BEFORE:]) for arm, times in seconds.items()}
        for arm, each in rounds.items():
            print(
                f"{space.name:14} {arm:34} {1e3 * each:8.1f} ms a round   pace {rounds[unit] / each:6.3f}", flush=True
            )
