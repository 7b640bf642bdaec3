"""The statistics that BatchNorm uses in a trained network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from torch import nn

Statistics = Literal["running", "batch"]


@contextmanager
def gathering_nothing(network: nn.Module) -> Iterator[None]:
    """Inside, the BatchNorm layers of `network` normalise as before, but do not change their running statistics."""
    norms = _norms(network)
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


@contextmanager
def normalising_by(network: nn.Module, statistics: Statistics) -> Iterator[None]:
    """Inside, `network` is in evaluation mode; its BatchNorm layers use these statistics and do not change them."""
    was_training = network.training
    network.eval()
    for norm in _norms(network):
        norm.train(statistics == "batch")
    try:
        with gathering_nothing(network):
            yield
    finally:
        network.train(was_training)


def _norms(network: nn.Module) -> list[nn.BatchNorm1d | nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
