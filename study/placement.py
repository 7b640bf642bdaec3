"""Which node a trial goes to. Ray's own choice is the one with most to spare, so trials spread; packing is ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ray.tune import PlacementGroupFactory

from study.capacity import alive_nodes
from study.plan import StudyPlan
from study.snapshot import NotInSnapshot


class Packing(NotInSnapshot):
    """Asks for the first node, in an order that stays, on which fewer trials of the study run than fit there.

    It is a wish: where the node is full or lost by then, Ray takes another. `running` are the numbers of the trials
    that run or wait to be started.
    """

    def __init__(self, plan: StudyPlan, running: Callable[[], set[int]]) -> None:
        self._cpus, self._gpus = plan.cpus_per_trial, plan.gpus_per_trial
        self._running = running
        self._nodes: dict[int, str] = {}

    def __call__(self, config: dict[str, Any]) -> PlacementGroupFactory:
        """What the trial of this config asks Ray for."""
        bundle = {"CPU": self._cpus, "GPU": self._gpus}
        number = config["spec"]["number"]
        self._nodes = {other: self._nodes[other] for other in self._running() & set(self._nodes) - {number}}
        taken = Counter(self._nodes.values())
        room = {node.id: node.fits(self._cpus, self._gpus) for node in alive_nodes()}
        first = sorted(room, key=lambda node: (-room[node], node))
        target = next((node for node in first if taken[node] < room[node]), None)
        if target is None:
            return PlacementGroupFactory([bundle])
        self._nodes[number] = target
        return PlacementGroupFactory([bundle], strategy="STRICT_PACK", _soft_target_node_id=target)
