"""Numbers and settings as a person reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from study.sentences import MOST_TIMES
from trainables.measures.base import Direction

NOTHING = "-"


def shown(value: Any) -> str:
    """A number with four digits, or all those of a large whole one; anything else as it is."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, float | np.floating):
        number = float(value)
        return f"{number:,.0f}" if number.is_integer() and 1e4 <= abs(number) < 1e12 else f"{number:.4g}"
    return str(value)


def with_deviation(values: Sequence[float]) -> str:
    """The mean of the seeds, with their standard deviation where they differ: "31.5 ± 1.2 (n=3)"."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return NOTHING
    mean = shown(float(np.mean(finite)))
    if len(finite) == 1:
        return mean
    if min(finite) == max(finite):
        return f"{mean} (n={len(finite)})"
    deviation = float(np.std(finite, ddof=1))
    return f"{mean} ± {deviation:{'.2g' if deviation < 100 else '.0f'}} (n={len(finite)})"


def better(value: float, other: float, direction: Direction) -> str:
    """How much better `value` is than `other`: "12.0% lower", or "0.3 higher" where a share would say little."""
    if value == other:
        return "equal"
    word = "lower" if value < other else "higher"
    is_a_share = 0 < value < MOST_TIMES * other
    amount = f"{abs(value - other) / other:.1%} {word}" if is_a_share else f"{shown(abs(value - other))} {word}"
    is_better = (word == "lower") == (direction == "minimize")
    return amount if is_better else f"{amount}, which is worse"


def trial_of(row: pd.Series) -> int:
    """The number of the trial whose row this is."""
    return int(row.name)  # type: ignore[call-overload]


def settings(row: pd.Series) -> str:
    """What was searched, of a row of `LoadedStudy.trials`: "image_lr 0.01, lambda_tv off"."""
    parts = []
    for column, value in row.items():
        name = str(column).removeprefix("params.")
        if name == column or pd.isna(value):
            continue
        is_off = value and str(row.get(f"config.{name}", value)) in ("0", "0.0")  # a weight below its smallest is off
        text = "off" if is_off else f"{value:.3g}" if isinstance(value, float) else str(value)
        parts.append(f"{name} {text}")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """A time: "2 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 trial", "3 trials"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
