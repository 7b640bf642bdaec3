"""What a trial's result holds, for all who hear it: searcher, tracker, screen."""

from __future__ import annotations

import math
from typing import Any

from ray.tune.result import AUTO_RESULT_KEYS

FAILURE = "failure"
"""The key of a result under which a failed trial says why."""


def numbers(result: dict[str, Any]) -> dict[str, float]:
    """The metrics of a result: its finite numbers, without Ray's bookkeeping."""
    return {name: float(value) for name, value in result.items() if is_finite(value) and name not in AUTO_RESULT_KEYS}


def is_finite(value: object) -> bool:
    """Whether `value` is a number, and neither NaN nor infinite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
