"""Which evaluator measures the trials of a data set: its protocol says."""

from __future__ import annotations

from pathlib import Path

import torch

from trainables.measures.fidelity import Evaluator
from trainables.measures.points import PointEvaluator, PointProtocol
from trainables.protocol import Protocol

AnyProtocol = Protocol | PointProtocol
AnyEvaluator = Evaluator | PointEvaluator


def make_evaluator(protocol: AnyProtocol, cache_dir: Path, device: torch.device) -> AnyEvaluator:
    """The evaluator of `protocol`; it reads its data set, and for images a classifier, from the cache."""
    if isinstance(protocol, PointProtocol):
        return PointEvaluator(protocol, cache_dir, device)
    return Evaluator(protocol, cache_dir, device)
