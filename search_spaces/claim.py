"""Claims of documents, as data."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from trainables.errors import InputError

Params = Mapping[str, Any]
"""The Optuna parameters of a trial."""

Group = Callable[[Params], bool]
"""Which trials are meant."""

SEED = "seed"
"""Pairs values by repetition: in a grid, repetition k has the same seed in every trial."""


@dataclass(frozen=True)
class Claim:
    """What a document says about its settings: `metric` is lower in one group of trials than in another.

    With a margin it says that the groups are close: they differ by less than the margin. One of the two groups may be a
    number instead. Each seed of a trial is a value.
    """

    text: str
    source: str
    """The document's key in docs/references.md, and the section."""
    metric: str
    """By family, as in `fid_best`."""
    lower: Group | float
    higher: Group | float
    paired_by: tuple[str | Callable[[Params], Hashable], ...] = ()
    """What the two values of a pair share: Optuna parameters, functions of them, `SEED`.

    Empty: all values of one group are compared with all values of the other.
    """
    margin: float | None = None
    """None, or the most that close groups differ by: a difference above 0, or a ratio above 1."""
    compared_by: Literal["difference", "ratio"] = "difference"
    """The ratio is of geometric means, for values above 0."""

    def __post_init__(self) -> None:
        nothing = {"difference": 0.0, "ratio": 1.0}[self.compared_by]
        if self.margin is not None and not self.margin > nothing:
            raise InputError(f"claim {self.text!r} has a margin of {self.margin:g}: it must be above {nothing:g}.")
        if not callable(self.lower) and not callable(self.higher):
            raise InputError(f"claim {self.text!r} compares two numbers: one must be a group of trials.")
        if self.paired_by and not (callable(self.lower) and callable(self.higher)):
            raise InputError(f"claim {self.text!r} is paired, but compares with a number: leave out paired_by.")


def where(**wanted: Any) -> Group:
    """The trials whose Optuna parameters have these values."""
    return lambda params: all(params.get(name) == value for name, value in wanted.items())
