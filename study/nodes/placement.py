"""Which node a trial goes to. Ray's own choice is the one with most to spare, so trials spread; packing is ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ray.tune import PlacementGroupFactory

from study.nodes.capacity import alive_nodes
from study.plan import StudyPlan

NODE = "node"
"""The key of a Ray trial's config with the node that it should go to; without it Ray chooses."""


class Packing:
    """Chooses the first node, the largest first, on which fewer trials of the study run than fit there."""

    def __init__(self, plan: StudyPlan) -> None:
        self._plan = plan
        self._chosen: dict[int, str] = {}

    def __call__(self, number: int, running: set[int]) -> str | None:
        """The node of trial `number`, while the trials `running` are on those that were chosen for them."""
        self._chosen = {other: self._chosen[other] for other in running & set(self._chosen) - {number}}
        taken = Counter(self._chosen.values())
        room = {node.id: node.fits(self._plan.cpus_per_trial, self._plan.gpus_per_trial) for node in alive_nodes()}
        for node in sorted(room, key=lambda node: (-room[node], node)):
            if taken[node] < room[node]:
                self._chosen[number] = node
                return node
        return None


def resources(plan: StudyPlan) -> Callable[[dict[str, Any]], PlacementGroupFactory]:
    """What the trial of a config asks Ray for. The node is a wish: if it is full or lost, Ray takes another."""
    bundle = {"CPU": plan.cpus_per_trial, "GPU": plan.gpus_per_trial}

    def of(config: dict[str, Any]) -> PlacementGroupFactory:
        if NODE not in config:
            return PlacementGroupFactory([bundle])
        return PlacementGroupFactory([bundle], strategy="STRICT_PACK", _soft_target_node_id=config[NODE])

    return of
