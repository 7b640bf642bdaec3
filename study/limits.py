"""What a study may spend and the goal at which it ends, as the command line says them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from study.measurement import ranked_metrics
from trainables.errors import InputError, lookup
from trainables.measures.base import Direction
from trainables.protocol import Protocol

UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}


@dataclass(frozen=True)
class Goal:
    """A value of a metric that is good enough."""

    metric: str
    """By its full name."""
    value: float
    direction: Direction

    def is_reached(self, value: object) -> bool:
        """Whether a trial that reports `value` is as good."""
        if not isinstance(value, int | float) or not math.isfinite(value):
            return False
        return value <= self.value if self.direction == "minimize" else value >= self.value


@dataclass(frozen=True)
class Limits:
    """Where a study ends before all its trials are done; None: nowhere."""

    time: str | None = None
    """The time of all runs of the study together, as it was said."""
    gpu_hours: float | None = None
    goal: Goal | None = None

    @property
    def are_budgets(self) -> bool:
        """Whether time or GPU hours are limited."""
        return self.time is not None or self.gpu_hours is not None

    @property
    def seconds(self) -> float | None:
        return None if self.time is None else seconds_of(self.time)


def make_limits(
    time_budget: str | None,
    gpu_hours: float | None,
    until: str | None,
    gpus_per_trial: float,
    protocols: Mapping[str, Protocol],
) -> Limits:
    """The limits that the options say; raises `InputError`, also for a metric that not every trial reports."""
    if time_budget is not None:
        seconds_of(time_budget)
    if gpu_hours is not None:
        if not (gpu_hours > 0 and math.isfinite(gpu_hours)):
            raise InputError(f"--gpu-hours is {gpu_hours:g}: it must be above 0.")
        if gpus_per_trial == 0:
            raise InputError("--gpu-hours: these trials use no GPU, limit their time with --time-budget.")
    return Limits(time_budget, gpu_hours, None if until is None else _goal(until, protocols))


def seconds_of(text: str) -> float:
    """The seconds of a time such as 90m, 2h or 1d12h; raises `InputError`."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([dhms])", text)
    seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or seconds == 0:
        raise InputError(f"--time-budget {text}: write a time with its units, as in 90m, 2h or 1d12h.")
    return seconds


def _goal(text: str, protocols: Mapping[str, Protocol]) -> Goal:
    """The goal that METRIC=VALUE means."""
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"--until {text}: write METRIC=VALUE, as in fid_lenet_best=30.")
    protocol = next(iter(protocols.values()))
    lookup("metric in --until", name, dict.fromkeys(ranked_metrics(protocols)))
    full = protocol.full_name(name)
    return Goal(full, number, protocol.direction(full))
