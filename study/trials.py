"""What a trial's result holds, for the searcher, the tracker and the screen."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

from ray.tune.experiment import Trial as RayTrial
from ray.tune.result import AUTO_RESULT_KEYS

from trainables.training import FAILURE as FAILURE
from trainables.training import REPORTED

PROCESS_LOST = "the trial's process was killed, and again after each restart"
"""The reason of a trial whose process was killed more often than it may be."""


def numbers(result: dict[str, Any]) -> dict[str, float]:
    """The metrics of a result: its finite numbers, without Ray's and our bookkeeping."""
    ours = {name: value for name, value in result.items() if name != REPORTED and name not in AUTO_RESULT_KEYS}
    return {name: float(value) for name, value in ours.items() if is_finite(value)}


def is_finite(value: object) -> TypeGuard[float]:
    """Whether `value` is a number, and neither NaN nor infinite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def number_of(trial: RayTrial) -> int:
    """A Ray trial's number in the study."""
    return trial.config["spec"]["number"]


def budget_of(trial: RayTrial) -> int:
    """The rounds that a Ray trial trains if nobody stops it."""
    return trial.config["spec"]["rounds"]


class NotInSnapshot:
    """A base of objects with threads, files or connections, which cannot be pickled: snapshots leave them out."""

    def __getstate__(self) -> dict[str, Any]:
        return {}
