"""A protocol: what a number depends on besides the method. Do not rank numbers of different protocols together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializeAsAny, field_validator

from trainables.measures import MEASURES
from trainables.measures.base import Direction, Measure, MeasureSettings, Metric
from trainables.registry import resolve

AT_BEST = "_at_best"
"""Ends the name of a metric's value in the evaluation that is the best by the study's objective."""
BEST = "_best"
"""Ends the name of a metric's own best value so far."""
BEST_ROUND = "best_round"
"""The metric with the round of the evaluation that is the best by the study's objective."""


class Protocol(BaseModel):
    """A data set and the settings of the measures: JSON in, JSON out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    measures: tuple[SerializeAsAny[MeasureSettings], ...]

    @field_validator("measures", mode="before")
    @classmethod
    def _of_their_measures(cls, value: Iterable[Any]) -> tuple[MeasureSettings, ...]:
        """In JSON, the key `measure` says which measure the settings are for."""
        return tuple(
            settings
            if isinstance(settings, MeasureSettings)
            else measure_class(settings["measure"]).Settings(**settings)
            for settings in value
        )

    @property
    def sha256(self) -> str:
        """The hash by which a run names its protocol."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def metrics(self) -> dict[str, Metric]:
        """What an evaluation reports, by its full name."""
        return {name: metric for s in self.measures for name, metric in s.metrics(self.dataset).items()}

    def full_name(self, metric: str) -> str:
        """`metric` with its family, as in `fid_best`, replaced by what the measures call it: `fid_lenet_best`."""
        base = base_name(metric)
        families = {short: full for s in reversed(self.measures) for short, full in s.families().items()}
        return families.get(base, base) + metric.removeprefix(base)

    def direction(self, metric: str) -> Direction:
        """The better direction of `metric`, a full name with or without `_best` or `_at_best`."""
        return self.metrics()[base_name(metric)].direction


def base_name(metric: str) -> str:
    """The name of a metric without `_best` or `_at_best`."""
    return metric.removesuffix(AT_BEST).removesuffix(BEST) if metric.endswith(AT_BEST) else metric.removesuffix(BEST)


def measure_class(name: str) -> type[Measure]:
    """The measure of this name; raises `InputError`."""
    return resolve("measure", name, MEASURES, Measure)  # type: ignore[type-abstract]
