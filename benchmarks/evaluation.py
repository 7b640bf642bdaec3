"""A whole evaluation of 2,000 samples on mnist5k with the classifier, by its parts: what a trial pays each time.

The method is the GAN `M0_B` at a quarter of its width, untrained: samples, features, metrics, scores, intervals.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TypeVar

import torch

from trainables.measures.fidelity import Evaluator
from trainables.methods.gan import Gan, GanConfig
from trainables.preparation import prepare_protocol

T = TypeVar("T")

SAMPLES = 2000
TURNS = 5


def main() -> None:
    """Print the median seconds of an evaluation, of the samples alone, and what is paid once."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as folder:
        preparation, prepared = timed(
            lambda: prepare_protocol("mnist5k", ("photo_patches", "scrambled", "digits"), SAMPLES, Path(folder))
        )
        evaluator, opened = timed(lambda: Evaluator(preparation.protocol, Path(folder), device))
        config = GanConfig(generator_width=1 / 4, discriminator_width=1 / 4)
        method = Gan(config, evaluator.dataset, device)
        generator = torch.Generator().manual_seed(0)
        sampled = median(timed(lambda: method.samples_to_evaluate(SAMPLES, generator))[1] for _ in range(TURNS))
        evaluated = median(timed(lambda: evaluator(method, generator))[1] for _ in range(TURNS))
    print(f"{device.type}, {torch.get_num_threads()} threads, medians of {TURNS}, {SAMPLES:,} samples, 3 sets")
    print(f"an evaluation                   {evaluated:6.2f} s")
    print(f"  of which samples              {sampled:6.2f} s")
    print(f"opening, once a process         {opened:6.2f} s")
    print(f"preparation, once a cache       {prepared:6.2f} s")


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """What a call returns, and its seconds."""
    started = time.perf_counter()
    value = call()
    return value, time.perf_counter() - started
