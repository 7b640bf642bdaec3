"""Properties of a metric's curve over the rounds of a training: early, late, and over all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

PROPERTIES = ("early", "late", "area", "rise")


class Curves:
    """The curves of some metrics, a value an evaluation, and their properties when the training has ended.

    `early` and `late` are the means of the values in the first and in the last third of the rounds (of the first or the
    last value, if there are no others there). `area` is the area under the curve divided by the rounds that it covers,
    by the trapezoidal rule. `rise` is `late` minus `early`.
    """

    def __init__(self, wanted: Sequence[str]) -> None:
        """`wanted` are names of properties, as in `energy_early`."""
        self._wanted = [name.rpartition("_")[::2] for name in wanted]
        self._points: dict[str, list[list[float]]] = {metric: [] for metric, _ in self._wanted}

    def add(self, round_number: int, metrics: Mapping[str, float]) -> None:
        """Add the values of an evaluation."""
        for metric, points in self._points.items():
            if metric in metrics:
                points.append([float(round_number), float(metrics[metric])])

    def properties(self, rounds: int) -> dict[str, float]:
        """All that were wanted, of a training of so many rounds, for metrics that were reported."""
        return {
            f"{metric}_{name}": _property(name, np.array(self._points[metric]), rounds)
            for metric, name in self._wanted
            if self._points[metric]
        }

    def state_dict(self) -> dict[str, Any]:
        return {metric: [list(point) for point in points] for metric, points in self._points.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for metric in self._points:
            self._points[metric] = [list(point) for point in state.get(metric, [])]


def _property(name: str, points: np.ndarray, rounds: int) -> float:
    at, values = points.T
    if name == "early":
        return float(values[: max(1, int((at <= rounds / 3).sum()))].mean())
    if name == "late":
        return float(values[-max(1, int((at > rounds * 2 / 3).sum())) :].mean())
    if name == "rise":
        return _property("late", points, rounds) - _property("early", points, rounds)
    if len(at) == 1:
        return float(values[0])
    return float(np.sum((values[1:] + values[:-1]) / 2 * np.diff(at)) / (at[-1] - at[0]))
