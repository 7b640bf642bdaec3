"""Claims of documents, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Group = Callable[[Mapping[str, Any]], bool]
"""Which trials are meant, by their Optuna parameters."""


@dataclass(frozen=True)
class Claim:
    """What a document says of its settings: `metric` is lower in one group of trials than in another.

    One of the two may be a number instead. Each seed of a trial is a value.
    """

    text: str
    source: str
    """The document's key in docs/references.md, and the section."""
    metric: str
    """By family, as in `fid_best`."""
    lower: Group | float
    higher: Group | float


def where(**wanted: Any) -> Group:
    """The trials whose Optuna parameters have these values."""
    return lambda params: all(params.get(name) == value for name, value in wanted.items())
