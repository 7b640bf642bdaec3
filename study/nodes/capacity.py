"""What a trial asks for, what the nodes of a cluster have, and how many trials run at once.

The cluster is asked again and again, because nodes leave and others join.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainables.errors import InputError

REFRESH_SECONDS = 1.0
"""How old the cluster's last answer may be."""

ROUNDING = 1e-6
"""Fractions of a GPU add up to a little more or less than a whole GPU."""


@dataclass(frozen=True)
class Resources:
    """What one trial asks for."""

    cpus: float
    gpus: float

    @property
    def share_a_gpu(self) -> bool:
        """Whether several trials run on a GPU."""
        return 0 < self.gpus < 1

    def __str__(self) -> str:
        return f"{self.cpus:g} CPUs and {self.gpus:g} GPUs"


@dataclass(frozen=True)
class Node:
    """A machine of the cluster that is alive, with all its CPUs and GPUs, free or not."""

    id: str
    address: str
    cpus: float
    gpus: float

    def fits(self, trial: Resources) -> int:
        """How many such trials the node runs at once. A fraction of a GPU never spans two GPUs."""
        by_cpus = int(self.cpus / trial.cpus + ROUNDING)
        if trial.gpus == 0:
            return by_cpus
        if trial.gpus < 1:
            by_gpus = int(self.gpus) * int(1 / trial.gpus + ROUNDING)
        else:
            by_gpus = int(self.gpus / trial.gpus + ROUNDING)
        return min(by_cpus, by_gpus)

    def __str__(self) -> str:
        return f"{self.address} ({self.cpus:g} CPUs, {self.gpus:g} GPUs)"


def alive_nodes() -> list[Node]:
    """The nodes of the cluster that this process is connected to."""
    import ray  # here, so that `Resources` can be had without waiting seconds for Ray

    return [_node(found) for found in ray.nodes() if found["Alive"]]


def _node(found: Mapping[str, Any]) -> Node:
    resources = found["Resources"]
    return Node(found["NodeID"], found["NodeManagerAddress"], resources.get("CPU", 0.0), resources.get("GPU", 0.0))


def check_fits(trial: Resources, nodes: Sequence[Node]) -> None:
    """Raise `InputError` where a trial asks for more than any one of the nodes has."""
    if not any(node.fits(trial) for node in nodes):
        best = max(nodes, key=lambda node: (node.gpus, node.cpus))
        raise InputError(
            f"a trial asks for {trial}, and no node has as many, not even {best}: "
            "lower --cpus-per-trial and --gpus-per-trial."
        )


class Capacity:
    """How many trials may run at once on the cluster as it is now.

    `max_concurrent` is an upper limit. A `population` is started as a whole, however many nodes there are: Ray lets
    its trials take turns. The answer is at least 1, so that a trial waits for a node where there is none.
    """

    def __init__(self, trial: Resources, max_concurrent: int | None = None, population: int | None = None) -> None:
        self._trial = trial
        self._max_concurrent = max_concurrent
        self._population = population
        self._fits = 0
        self._known_at = float("-inf")

    def __call__(self) -> int:
        """Ask the cluster, if the last answer is older than `REFRESH_SECONDS`."""
        if self._population is not None:
            return self._population
        if time.monotonic() - self._known_at > REFRESH_SECONDS:
            self._fits = sum(node.fits(self._trial) for node in alive_nodes())
            self._known_at = time.monotonic()
        return max(1, min(self._fits, self._max_concurrent or self._fits))
