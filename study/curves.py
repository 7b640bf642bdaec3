"""Recorded curves of trials that were trained to their end: what a simulated study replays."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)
from optuna.trial import FrozenTrial, TrialState

from study.optuna_storage import METRICS, load, trained
from study.plan import StudyPlan
from trainables.errors import InputError
from trainables.files import write_atomically
from trainables.measures.base import Direction
from trainables.training import SECONDS

FEWEST = 5
"""Curves below which nothing is compared."""


@dataclass(frozen=True)
class Curve:
    """A trial that was trained to its end."""

    params: Mapping[str, Any]
    values: Mapping[int, float]
    """The objective, by the round after which it was reported."""
    seconds: float
    """Of the whole trial; each round takes as long as the others."""


@dataclass(frozen=True)
class Curves:
    """The full curves of a study; all have the same rounds."""

    study: str
    objective: str
    direction: Direction
    space: Mapping[str, BaseDistribution]
    """Optuna's distribution of each parameter."""
    curves: tuple[Curve, ...]

    @property
    def rounds(self) -> list[int]:
        """The rounds after which a trial reports; the last one is its budget."""
        return list(self.curves[0].values)

    @property
    def ends(self) -> list[float]:
        """The objective of each trial at its end."""
        return [curve.values[self.rounds[-1]] for curve in self.curves]

    def nearest(self, params: Mapping[str, Any]) -> Curve:
        """The recorded trial whose parameters are nearest to `params`, with each range scaled to a length of 1.

        Two names, or a parameter that a recorded trial does not have, are at a distance of 1.
        """
        at = np.array([_scaled(params[name], found) for name, found in self.space.items()])
        distances = np.where(self._is_name | np.isnan(self._points), self._points != at, self._points - at)
        return self.curves[int(np.argmin(np.sum(np.square(distances), axis=1)))]

    @cached_property
    def _points(self) -> np.ndarray:
        def at(params: Mapping[str, Any], name: str) -> float:
            return _scaled(params[name], self.space[name]) if name in params else math.nan

        return np.array([[at(curve.params, name) for name in self.space] for curve in self.curves])

    @cached_property
    def _is_name(self) -> np.ndarray:
        return np.array([isinstance(found, CategoricalDistribution) for found in self.space.values()])


def _scaled(value: Any, found: BaseDistribution) -> float:
    """A parameter between 0 and 1, on its own scale; the number of a name."""
    if isinstance(found, CategoricalDistribution):
        return float(found.to_internal_repr(value))
    assert isinstance(found, FloatDistribution | IntDistribution)
    low, high, value = (math.log(x) if found.log else float(x) for x in (found.low, found.high, value))
    return (value - low) / (high - low) if high > low else 0.0


def load_curves(plan: StudyPlan) -> Curves:
    """The curves of the study of a plan; raises `InputError` where there are not enough, or no single objective."""
    name = plan.name
    if len(plan.objectives) > 1:
        raise InputError(f"study {name!r} has several objectives, and no one curve to replay: name another study.")
    complete = trained(load(plan.optuna_storage, name), TrialState.COMPLETE)
    whole = [trial for trial in complete if trial.intermediate_values and trial.params]
    if len(whole) < FEWEST:
        raise InputError(
            f"study {name!r} has {len(whole)} trials that were trained to their end, and {FEWEST} are needed: "
            "train more with --scheduler none."
        )
    if len({tuple(sorted(trial.intermediate_values)) for trial in whole}) > 1:
        raise InputError(f"the trials of study {name!r} have different rounds, and cannot be replayed together.")
    space = {key: found for trial in whole for key, found in trial.distributions.items()}
    return Curves(name, plan.objectives[0], plan.directions[0], space, tuple(map(_curve, whole)))


def _curve(trial: FrozenTrial) -> Curve:
    seconds = sum(trial.user_attrs[METRICS][name] for name in SECONDS)
    return Curve(trial.params, dict(sorted(trial.intermediate_values.items())), seconds)


def save_curves(curves: Curves, path: Path) -> None:
    """Write curves to a file of JSON, from which `read_curves` makes them again."""
    content = {
        "study": curves.study,
        "objective": curves.objective,
        "direction": curves.direction,
        "space": {name: json.loads(distribution_to_json(found)) for name, found in curves.space.items()},
        "curves": [
            {"params": curve.params, "values": list(curve.values.items()), "seconds": round(curve.seconds, 2)}
            for curve in curves.curves
        ],
    }
    write_atomically(path, json.dumps(content, indent=1).encode())


def read_curves(path: Path) -> Curves:
    """The curves in a file of `save_curves`; raises `InputError` where it is something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        space = {name: json_to_distribution(json.dumps(found)) for name, found in content["space"].items()}
        curves = [Curve(each["params"], dict(each["values"]), each["seconds"]) for each in content["curves"]]
        return Curves(content["study"], content["objective"], content["direction"], space, tuple(curves))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is no file of recorded curves: name one that `python -m study.simulate STUDY --save FILE` wrote."
        ) from error
