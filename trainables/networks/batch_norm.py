"""The statistics that BatchNorm uses in a trained network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from torch import nn

Statistics = Literal["running", "batch"]


@contextmanager
def normalising_by(network: nn.Module, statistics: Statistics) -> Iterator[None]:
    """Inside, `network` is in evaluation mode; its BatchNorm layers use these statistics and do not change them."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    was_training = network.training
    network.eval()
    for norm in norms:
        norm.train(statistics == "batch")
        norm.track_running_stats = False
    try:
        yield
    finally:
        network.train(was_training)
        for norm in norms:
            norm.track_running_stats = True
