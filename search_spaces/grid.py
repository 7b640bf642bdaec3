"""Exhaustive search spaces: every combination of a few values of each parameter."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from search_spaces.space import FirstTrial, SearchSpace, Suggestion

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

Point = Mapping[str, Any]
"""A value of each parameter of a grid."""


class GridSpace(SearchSpace):
    """A space whose points are all tried, each in one trial.

    Seeds are not a parameter: a trial trains its point with as many seeds as the study says (`Scale.seeds`, `--seeds`).
    """

    exhaustive = True
    grid: ClassVar[Mapping[str, Sequence[str | int | float | bool]]]
    """The values of each parameter, in the order in which they are tried; the last parameter changes fastest."""

    @abstractmethod
    def suggestion(self, point: Point) -> Suggestion:
        """The settings that a point of the grid stands for."""

    def point_name(self, point: Point) -> str:
        """The name of the trial of a point."""
        return ", ".join(f"{name} {value}" for name, value in point.items())

    def setting_name(self, point: Point) -> str:
        """The name of what is tried, which points that differ in chance alone share."""
        return self.point_name(point)

    def published(self, point: Point) -> Mapping[str, float]:
        """What was published for a point, by the full names of metrics."""
        return {}

    def points(self) -> list[dict[str, Any]]:
        """Every point of the grid; a space may leave some out."""
        return [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]

    @property
    def num_trials(self) -> int:
        """The number of points."""
        return len(self.points())

    def suggest(self, trial: BaseTrial) -> Suggestion:
        return self.suggestion({name: trial.suggest_categorical(name, values) for name, values in self.grid.items()})

    def first_trials(self) -> list[FirstTrial]:
        """Every point."""
        return [
            FirstTrial(self.point_name(point), point, self.published(point), self.setting_name(point))
            for point in self.points()
        ]
