"""How many trials a cluster fits. Asked again and again: nodes leave, and others join."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import ray

from study.plan import StudyPlan
from trainables.errors import InputError

REFRESH_SECONDS = 1.0
"""How old an answer of the cluster may be."""

ROUNDING = 1e-6
"""Fractions of a GPU add up to a little more or less than a whole one."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster that is alive, and all that it has, whoever uses it."""

    id: str
    address: str
    cpus: float
    gpus: float

    def fits(self, cpus: float, gpus: float) -> int:
        """How many trials of so many CPUs and GPUs fit at once; a fraction of a GPU is of one GPU."""
        by_cpus = int(self.cpus / cpus + ROUNDING)
        if gpus == 0:
            return by_cpus
        by_gpus = int(self.gpus) * int(1 / gpus + ROUNDING) if gpus < 1 else int(self.gpus / gpus + ROUNDING)
        return min(by_cpus, by_gpus)

    def __str__(self) -> str:
        return f"{self.address} ({self.cpus:g} CPUs, {self.gpus:g} GPUs)"


def alive_nodes() -> list[Node]:
    """The nodes of the cluster that this process is connected to."""
    return [_node(found) for found in ray.nodes() if found["Alive"]]


def _node(found: Mapping) -> Node:
    resources = found["Resources"]
    return Node(found["NodeID"], found["NodeManagerAddress"], resources.get("CPU", 0.0), resources.get("GPU", 0.0))


def check_fits(plan: StudyPlan, nodes: list[Node]) -> None:
    """Raise `InputError` where a trial asks for more than any one of the nodes has."""
    cpus, gpus = plan.cpus_per_trial, plan.gpus_per_trial
    if not any(node.fits(cpus, gpus) for node in nodes):
        best = max(nodes, key=lambda node: (node.gpus, node.cpus))
        raise InputError(
            f"a trial asks for {cpus:g} CPUs and {gpus:g} GPUs, and no node has as many, not even {best}: "
            "lower --cpus-per-trial and --gpus-per-trial."
        )


class Capacity:
    """How many trials of the study may run at once, as the cluster is now; at least one, which waits for a node."""

    def __init__(self, plan: StudyPlan) -> None:
        self._plan = plan
        self._fits = 0
        self._known_at = float("-inf")

    def __call__(self) -> int:
        """Ask the cluster, if it was not asked just now."""
        plan = self._plan
        if plan.scheduler == "pbt":
            return plan.num_trials  # the whole population: Ray lets its trials take turns
        if time.monotonic() - self._known_at > REFRESH_SECONDS:
            self._fits = sum(node.fits(plan.cpus_per_trial, plan.gpus_per_trial) for node in alive_nodes())
            self._known_at = time.monotonic()
        return max(1, min(self._fits, plan.config.max_concurrent or self._fits))
