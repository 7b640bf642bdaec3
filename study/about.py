"""What the driver tells MLflow about a search: a report needs neither the code of the space nor the study's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.trial import FixedTrial
from pydantic import BaseModel, ValidationError

from search_spaces.space import FirstTrial, SearchSpace, spoken
from study.plan import StudyPlan
from study.trial_specs import distributions_of, method_name, suggested
from trainables.errors import InputError
from trainables.measures.base import Direction, MeasureSettings
from trainables.methods.base import method_class

SEARCH_FILE = "search.json"
"""The artifact of a study with its `Search`."""
PUBLISHED_SCALE = "paper"
"""The scale that repeats a document's settings."""

Differences = dict[str, tuple[Any, Any]]
"""Settings that are not the published ones: the value here and the published one, by name."""


class Objective(BaseModel):
    """A metric that is optimised, by its full name."""

    name: str
    direction: Direction


class Reference(BaseModel):
    """A first trial: what was published for it, by the full names of metrics, and which of its settings differ."""

    name: str
    published: dict[str, float]
    differences: Differences
    setting: str = ""
    """What the figures were published for; first trials that differ in chance alone share it. Empty: `name`."""


class Search(BaseModel):
    """What is searched, and what the published figures of the space are for."""

    description: str
    exhaustive: bool
    objectives: tuple[Objective, ...]
    parameters: dict[str, str]
    """Optuna's distributions, JSON, by the parameter's name."""
    first_trials: tuple[Reference, ...]
    differences: Differences
    """Between this study and the published ones: data, budget, seeds, measures."""

    @classmethod
    def of(cls, plan: StudyPlan) -> Search:
        """What a plan searches."""
        return cls(
            description=plan.space.description,
            exhaustive=plan.space.exhaustive,
            objectives=tuple(
                Objective(name=name, direction=direction)
                for name, direction in zip(plan.objectives, plan.directions, strict=True)
            ),
            parameters={name: distribution_to_json(found) for name, found in distributions_of(plan.space).items()},
            first_trials=tuple(_references(plan)),
            differences=_of_scales(plan),
        )

    @property
    def published(self) -> dict[str, list[Reference]]:
        """The first trials for which figures were published, by setting: those of a setting have the same figures."""
        by_setting: dict[str, list[Reference]] = {}
        for first in self.first_trials:
            if first.published:
                by_setting.setdefault(first.setting or first.name, []).append(first)
        return by_setting

    def distributions(self) -> dict[str, BaseDistribution]:
        """Optuna's distribution of each parameter."""
        return {name: json_to_distribution(text) for name, text in self.parameters.items()}


def _references(plan: StudyPlan) -> Sequence[Reference]:
    published = _published_space(plan)
    known = {} if published is None else {first.name: first for first in published.first_trials()}
    references = []
    for first in plan.space.first_trials():
        differences: Differences = {}
        if published is not None and first.published and first.name in known:
            with suppress(InputError, ValidationError):  # a scale of the document that its own method refuses
                here = _config(plan.space, plan.fixed, first)
                differences = _differing(here, _config(published, published.scale.fixed, known[first.name]))
        references.append(
            Reference(name=first.name, published=dict(first.published), differences=differences, setting=first.setting)
        )
    return references


def _of_scales(plan: StudyPlan) -> Differences:
    published = _published_space(plan)
    if published is None:
        return {}
    scale = published.scale
    here = {"data set": ", ".join(plan.datasets), "budget": spoken(plan.budget), "seeds": plan.seeds}
    there = {"data set": ", ".join(published.datasets or (scale.dataset,)), "budget": spoken(scale.rounds)}
    measures = next(iter(plan.protocols.values())).measures
    return _differing(here | _of_measures(measures), there | {"seeds": scale.seeds} | _of_measures(scale.measures))


def _published_space(plan: StudyPlan) -> SearchSpace | None:
    """The space at the scale of the document, if it has one."""
    return type(plan.space)(PUBLISHED_SCALE) if PUBLISHED_SCALE in getattr(plan.space, "scales", {}) else None


def _of_measures(measures: Sequence[MeasureSettings]) -> dict[str, Any]:
    """The settings of measures that a person chooses; of two measures of a kind, the first one's."""
    settings: dict[str, Any] = {}
    for measure in measures:
        values = measure.model_dump(mode="json", exclude={"measure", "seed"})
        chosen = {k: v for k, v in values.items() if not k.endswith(("sha256", "_version"))}
        settings = {f"{measure.measure}: {key.replace('_', ' ')}": value for key, value in chosen.items()} | settings
    return settings


def _config(space: SearchSpace, fixed: Mapping[str, Any], first: FirstTrial) -> dict[str, Any]:
    """The method's whole config for a first trial, without its seed."""
    suggestion = suggested(space, FixedTrial(dict(first.params)))
    config = {**fixed, **suggestion.config}
    complete = method_class(method_name(space, suggestion)).Config(**config).model_dump(mode="json")
    return {name: value for name, value in complete.items() if name != "seed"}


def _differing(here: Mapping[str, Any], published: Mapping[str, Any]) -> Differences:
    return {
        name: (here.get(name), published.get(name))
        for name in dict.fromkeys([*here, *published])
        if here.get(name) != published.get(name)
    }
