"""What a round of each arm of the space `compare` costs, from which the paces of the space are set."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from search_spaces.compare import Compare
from trainables.data.cache import prepare
from trainables.methods.base import method_class

TURNS = 5
"""Rounds of each arm, by turns, so that other work on the machine slows all of them alike; the first is not counted."""


def main() -> None:
    """Print milliseconds of CPU time, and the rounds of each arm for each round of the first."""
    torch.set_num_threads(1)  # as in a trial
    space = Compare("laptop")
    with tempfile.TemporaryDirectory() as folder:
        dataset = prepare(space.scale.dataset, Path(folder))
    methods, spent = {}, {}
    for point in space.points():
        suggestion = space.suggestion(point)
        build = method_class(str(suggestion.method))
        methods[point["arm"]] = build(build.Config(**suggestion.config), dataset, torch.device("cpu"))
        spent[point["arm"]] = []
    for _ in range(TURNS):
        for arm, method in methods.items():
            started = time.process_time()
            method.train_round()
            spent[arm].append(time.process_time() - started)
    rounds = {arm: median(times[1:]) for arm, times in spent.items()}
    first = next(iter(rounds.values()))
    for arm, seconds in rounds.items():
        print(f"{arm:34} {1e3 * seconds:8.1f} ms a round, pace {first / seconds:.3f}", flush=True)
