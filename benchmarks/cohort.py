"""CPU time of K trainings as one stacked model, against the same K one after the other, for each kind of network."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from search_spaces.toy_line import SETTINGS as LINE
from search_spaces.toy_plane import MODELS
from search_spaces.toy_plane import SETTINGS as PLANE
from trainables.data.cache import prepare
from trainables.data.dataset import Dataset
from trainables.methods.base import method_class
from trainables.methods.stackable import Stackable
from trainables.stack import Stack

NUMBERS = (1, 3, 10, 30)
SECONDS = 0.4
"""About how long the trainings one after the other take in a turn."""
TURNS = 3

RESIDUAL = {"generator_depth": 1, "discriminator_depth": 1}
KINDS: dict[str, tuple[str, str, Mapping[str, Any]]] = {
    "perceptrons, line": ("gan", "line_3_0.5", LINE),
    "M0_A, plane": ("gan", "swiss_roll", {**PLANE, **MODELS["M0_A"]}),
    "M1_A, plane": ("gan", "swiss_roll", {**PLANE, **MODELS["M1_A"]}),
    "M1_A without BatchNorm in D, plane": ("gan", "swiss_roll", {**PLANE, **MODELS["M1_A, BN: G"]}),
    "discriminator only, spiral": ("discriminator_only_points", "spiral", {"lambda_gnorm": 1.0, "initial_epochs": 0}),
    "M1_B of 16/8 channels, 8x8": (
        "gan",
        "digits",
        {**RESIDUAL, "generator_width": 1 / 8, "discriminator_width": 1 / 8},
    ),
    "discriminator only of width 1/16, 8x8": (
        "discriminator_only",
        "digits",
        {"width": 1 / 16, "batch_size": 32, "initial_epochs": 0, "max_updates": 12},
    ),
    "M1_B of 16/8 channels, 28x28": (
        "gan",
        "mnist5k",
        {**RESIDUAL, "generator_width": 1 / 8, "discriminator_width": 1 / 8},
    ),
}
"""For each kind of network: method, data set, settings."""


def main() -> None:
    """Print the milliseconds of CPU time of a round of one training, and how many times less it is in a stack."""
    torch.set_num_threads(1)  # as in a trial
    print(f"{'':38} {'alone':>9}" + "".join(f"   K = {number:2}" for number in NUMBERS))
    with tempfile.TemporaryDirectory() as folder:
        for kind, (name, data, settings) in KINDS.items():
            dataset = prepare(data, Path(folder))
            measured = [compared([member(name, settings, dataset, k) for k in range(number)]) for number in NUMBERS]
            factors = "".join(f"{alone / stacked:9.2f}" for alone, stacked in measured)
            print(f"{kind:38} {1e3 * measured[0][0]:6.2f} ms{factors}", flush=True)


def member(name: str, settings: Mapping[str, Any], dataset: Dataset, seed: int) -> Stackable:
    """A training that has not begun: those of a stack are equally far."""
    build = method_class(name)
    made = build(build.Config(**settings, seed=seed), dataset, torch.device("cpu"))
    assert isinstance(made, Stackable)
    return made


def compared(members: Sequence[Stackable]) -> tuple[float, float]:
    """Seconds of a round of a training: one after the other, and in a stack; medians of turns after a first one."""
    started = time.thread_time()
    for each in members:
        each.train_round()
    rounds = max(1, round(SECONDS / (time.thread_time() - started)))
    stack = Stack(members)
    turns = []
    for _ in range(TURNS + 1):
        before = time.thread_time()
        for each in members:
            for _ in range(rounds):
                each.train_round()
        between = time.thread_time()
        for _ in range(rounds):
            stack.train_round()
        turns.append((between - before, time.thread_time() - between))
    alone, stacked = zip(*turns[1:], strict=True)
    return median(alone) / rounds / len(members), median(stacked) / rounds / len(members)
