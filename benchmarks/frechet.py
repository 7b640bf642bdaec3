"""The Frechet distance at 2,048 dimensions with cached reference statistics, against pytorch-fid's function.

pytorch-fid's function takes means and covariances. So does ours in the first comparison. In the second, with 1,000
samples, ours takes the features, which are then smaller than their covariance.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
from pytorch_fid.fid_score import calculate_frechet_distance

from benchmarks._timing import timed
from trainables.metrics.frechet import (
    ReferenceStatistics,
    frechet_distance,
    frechet_distance_of_moments,
    reference_statistics,
)

DIMENSIONS = 2048
SAMPLES = 10_000
FEW = 1_000
TURNS = 5
"""Ours is the median of this many runs. pytorch-fid's takes ten seconds or more, and runs once."""


def main() -> None:
    """Print the seconds of both, their ratio, and how far their distances are apart."""
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(DIMENSIONS, DIMENSIONS)) / np.sqrt(DIMENSIONS)
    reference = reference_statistics(features(rng, mixing, SAMPLES))
    many, few = (features(rng, mixing, n, shift=0.1) for n in (SAMPLES, FEW))
    mean, covariance = many.mean(axis=0), np.cov(many, rowvar=False)
    compare("means and covariances", lambda: frechet_distance_of_moments(reference, mean, covariance), reference, many)
    compare(f"{FEW:,} samples", lambda: frechet_distance(reference, few), reference, few)


def compare(what: str, ours: Callable[[], float], reference: ReferenceStatistics, generated: np.ndarray) -> None:
    """Time `ours` and pytorch-fid's function on the moments of `generated`, and print both."""
    mean, covariance = generated.mean(axis=0), np.cov(generated, rowvar=False)
    theirs = partial(calculate_frechet_distance, reference.mean, reference.covariance, mean, covariance)
    timings = [timed(ours) for _ in range(TURNS)]
    seconds = median(second for _, second in timings)
    expected, peer_seconds = timed(theirs)
    difference = abs(timings[0][0] - expected) / expected
    print(f"{DIMENSIONS:,} dimensions, {what}")
    print(f"  ours         {seconds:8.3f} s")
    print(f"  pytorch-fid  {peer_seconds:8.3f} s")
    print(f"  ratio        {peer_seconds / seconds:8.1f}   relative difference {difference:.1e}", flush=True)


def features(rng: np.random.Generator, mixing: np.ndarray, n: int, shift: float = 0.0) -> np.ndarray:
    """`n` correlated features, >= 0 as those after a ReLU are."""
    return (rng.normal(size=(n, DIMENSIONS)) @ mixing + shift).clip(min=0.0)
