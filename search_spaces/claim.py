"""Claims of documents, as data."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from trainables.errors import InputError

Params = Mapping[str, Any]
"""The Optuna parameters of a trial."""

Group = Callable[[Params], bool]
"""Which trials are meant."""

SEED = "seed"
"""Pairs values by repetition: in a grid, repetition k has the same seed in every trial."""

Curve = Literal["early", "late", "area", "rise"]
"""Of a metric's curve over the rounds: its mean over the first third, the last third, all; the last minus the first."""


@dataclass(frozen=True)
class Success:
    """When a run counts as a success: its metric is at most, or at least, this. A failed run is none."""

    at_most: float | None = None
    at_least: float | None = None

    def __call__(self, value: float) -> bool:
        return value <= self.at_most if self.at_most is not None else value >= self.at_least  # type: ignore[operator]

    def __str__(self) -> str:
        return f"at most {self.at_most:g}" if self.at_most is not None else f"at least {self.at_least:g}"


@dataclass(frozen=True)
class Claim:
    """What a document says about its settings: `metric` is lower in one group of trials than in another.

    With a margin it says that the groups are close: they differ by less than the margin. With a success it compares
    the shares of runs that succeed. One of the two groups may be a number instead. Each seed of a trial is a value.
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
    success: Success | None = None
    """For outcomes with two modes: the claim is about the shares of runs that succeed, not about means."""
    curve: Curve | None = None
    """The claim is about this property of the metric's curve, not about its last value."""
    planned: int = 10
    """How many values, or pairs, each group is meant to have."""

    def __post_init__(self) -> None:
        nothing = {"difference": 0.0, "ratio": 1.0}[self.compared_by]
        name = f"claim {self.text!r}"
        if self.margin is not None and not self.margin > nothing:
            raise InputError(f"{name} has a margin of {self.margin:g}: it must be above {nothing:g}.")
        if not callable(self.lower) and not callable(self.higher):
            raise InputError(f"{name} compares two numbers: one must be a group of trials.")
        if self.paired_by and not (callable(self.lower) and callable(self.higher)):
            raise InputError(f"{name} is paired, but compares with a number: leave out paired_by.")
        if self.planned < 2:
            raise InputError(f"{name} is planned with {self.planned} values a group: at least 2 are needed.")
        if self.success is not None:
            self._check_success(name, self.success)

    def _check_success(self, name: str, success: Success) -> None:
        if (success.at_most is None) == (success.at_least is None):
            raise InputError(f"{name} must say either at_most or at_least of its success.")
        if self.margin is not None or self.compared_by == "ratio":
            raise InputError(f"{name} compares shares of runs: leave out margin and compared_by.")
        for side in (self.lower, self.higher):
            if not callable(side) and not 0 < side < 1:
                raise InputError(f"{name} compares a share of runs with {side:g}: it must be between 0 and 1.")

    @property
    def reported_as(self) -> str:
        """The metric that trials report for this claim."""
        return self.metric if self.curve is None else f"{self.metric}_{self.curve}"

    @property
    def rule(self) -> str:
        """How the claim is judged, in words."""
        what = "share of runs with " if self.success else "ratio of " if self.compared_by == "ratio" else ""
        of = f" {self.success}" if self.success else ""
        compared = f"{what}{self.reported_as}{of}"
        said = f"differs by less than {self.margin:g}" if self.margin is not None else "is lower in the first group"
        return f"{compared} {said}{', in pairs' if self.paired_by else ''}"


def where(**wanted: Any) -> Group:
    """The trials whose Optuna parameters have these values."""
    return lambda params: all(params.get(name) == value for name, value in wanted.items())


def check_claim(claim: Claim, points: Sequence[Params], reported: Iterable[str] | None) -> None:
    """Raise `InputError` for a claim that the trials of a space cannot decide.

    `points` are parameters of trials of the space, `reported` the names of all metrics that a trial reports, None if
    they are not known.
    """
    if reported is not None and claim.metric not in set(reported):
        raise InputError(
            f"claim {claim.text!r} is about {claim.metric!r}, which no trial reports: name another metric."
        )
    members = {}
    for name, side in (("lower", claim.lower), ("higher", claim.higher)):
        if callable(side):
            try:
                members[name] = {number for number, params in enumerate(points) if side(params)}
            except Exception as error:
                raise InputError(
                    f"claim {claim.text!r} cannot tell which trials are {name} ({type(error).__name__}: {error})."
                ) from error
            if not members[name]:
                raise InputError(f"claim {claim.text!r} says that no trial of the space is {name}: its group is empty.")
    if len(members) == 2 and (both := members["lower"] & members["higher"]):
        raise InputError(
            f"claim {claim.text!r} has groups that overlap: {dict(points[min(both)])} is both lower and higher."
        )
