"""Which node a trial goes to.

Ray by itself takes the node with the most to spare, so trials spread. Here they are packed on few nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from study.nodes.capacity import Resources, alive_nodes

if TYPE_CHECKING:
    from ray.tune import PlacementGroupFactory

NODE = "node"
"""The key of a Ray trial's config that names its node; without it Ray chooses."""


class Packing:
    """Chooses a node for each trial: the largest that has room beside the study's running trials."""

    def __init__(self, trial: Resources) -> None:
        self._trial = trial
        self._chosen: dict[int, str] = {}

    def __call__(self, number: int, running: set[int]) -> str | None:
        """The node for trial `number`; None where no node has room.

        The trials `running` are taken to be on the nodes that were chosen for them.
        """
        self._chosen = {other: self._chosen[other] for other in running & set(self._chosen) - {number}}
        taken = Counter(self._chosen.values())
        room = {node.id: node.fits(self._trial) for node in alive_nodes()}
        for node in sorted(room, key=lambda node: (-room[node], node)):
            if taken[node] < room[node]:
                self._chosen[number] = node
                return node
        return None


def placement_groups(trial: Resources) -> Callable[[dict[str, Any]], PlacementGroupFactory]:
    """From a Ray trial's config to what it asks Ray for.

    The node is a preference, not a guarantee: where it is full or lost, Ray takes another one.
    """
    from ray.tune import PlacementGroupFactory  # here, so that `NODE` can be had without Ray

    bundle = {"CPU": trial.cpus, "GPU": trial.gpus}

    def of(config: dict[str, Any]) -> PlacementGroupFactory:
        if NODE not in config:
            return PlacementGroupFactory([bundle])
        return PlacementGroupFactory([bundle], strategy="STRICT_PACK", _soft_target_node_id=config[NODE])

    return of
