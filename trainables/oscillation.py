"""How much the losses of a training oscillate, over all of its rounds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


class Oscillation:
    """Count, mean and sum of squared deviations of each series, updated a window at a time (Chan et al. 1979)."""

    def __init__(self) -> None:
        self._moments: dict[str, tuple[float, float, float]] = {}

    def add(self, name: str, window: Sequence[float]) -> None:
        """Take in the next values of the series `name`, at least one."""
        count, mean, squares = self._moments.get(name, (0.0, 0.0, 0.0))
        number, mean_now = len(window), float(np.mean(window))
        step, total = mean_now - mean, count + number
        squares += float(np.var(window)) * number + step**2 * count * number / total
        self._moments[name] = (total, mean + step * number / total, squares)

    def deviations(self) -> dict[str, float]:
        """The standard deviation (divided by N) of each series so far."""
        return {name: math.sqrt(squares / count) for name, (count, _, squares) in self._moments.items()}

    def state_dict(self) -> dict[str, list[float]]:
        """The moments of each series, plain numbers."""
        return {name: list(moments) for name, moments in self._moments.items()}

    def load_state_dict(self, state: dict[str, list[float]]) -> None:
        """Go on from `state`."""
        self._moments = {name: (count, mean, squares) for name, (count, mean, squares) in state.items()}
