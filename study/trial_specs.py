"""From a suggestion of the space to the method's config, and to the spec of a trial."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from optuna.trial import BaseTrial, FixedTrial, Trial
from pydantic import ValidationError

from search_spaces.space import Epochs, FirstTrial, SearchSpace, Suggestion, rounds_of
from study.optuna_storage import FIRST_TRIAL, REVIVED
from study.plan import StudyPlan
from trainables.data.cache import open_dataset
from trainables.errors import InputError, lookup
from trainables.methods.base import MethodConfig, method_class
from trainables.preparation import check_abilities, prepare_config
from trainables.protocol import Protocol
from trainables.trial_spec import TrialSpec

SUGGESTIONS_TRIED = 20
"""How many random suggestions of a space the method must accept before a study starts."""


def make_spec(plan: StudyPlan, trial: BaseTrial, protocols: Mapping[str, Protocol]) -> TrialSpec:
    """The spec of a trial. `protocols` are the prepared protocols of the study's data sets, by name."""
    suggestion = plan.space.suggest(trial)
    method, dataset = method_name(plan.space, suggestion), suggestion.dataset or plan.datasets[0]
    origin = trial.user_attrs.get(REVIVED)
    config = method_config(plan, trial.number if origin is None else origin, suggestion)
    return TrialSpec(
        number=trial.number,
        revived=origin,
        method=method,
        config=prepare_config(method, config, dataset, plan.cache_dir),
        params=trial.params,
        log_scales={
            name: found.low
            for name, found in trial.distributions.items()
            if isinstance(found, FloatDistribution | IntDistribution) and found.log
        },
        first_trial=trial.user_attrs.get(FIRST_TRIAL),
        rounds=_at_pace(plan.rounds, suggestion),
        evaluate_every=_at_pace(plan.evaluate_every, suggestion),
        evaluate_at=plan.space.scale.evaluate_at,
        precision=plan.precision,
        seeds=plan.seeds,
        protocol=protocols[dataset],
        objective=plan.objectives[0],
        curves=tuple(dict.fromkeys(claim.reported_as for claim in plan.claims if claim.curve)),
        cache_dir=str(plan.cache_dir),
        folder=str(plan.folder.trial(trial.number)),
        outside=None if plan.outside is None else str(plan.folder.outside),
    )


def method_name(space: SearchSpace, suggestion: Suggestion) -> str:
    """The method that a suggestion is for."""
    return suggestion.method or space.method_names[0]


def _at_pace(rounds: int, suggestion: Suggestion) -> int:
    return max(1, round(rounds * suggestion.pace))


def in_rounds(plan: StudyPlan) -> StudyPlan:
    """`plan` with its budgets in rounds; its data sets have been prepared.

    Raises `InputError` where trials have different epochs, or the method has no batches.
    """
    budgets = (plan.budget, plan.evaluated_after)
    if not any(isinstance(budget, Epochs) for budget in budgets):
        return plan
    lengths = {len(open_dataset(name, plan.cache_dir).train) for name in plan.datasets}
    configs = [method_config(plan, number, suggestion) for number, suggestion in enumerate(_suggestions(plan.space))]
    sizes = {config["batch_size"] for config in configs if "batch_size" in config}
    if len(lengths) > 1 or len(sizes) != 1:
        raise InputError(f"the trials of space {plan.space.name!r} have no epoch in common: say --rounds.")
    (length,), (size,) = lengths, sizes
    budget, evaluated_after = (rounds_of(budget, length, size) for budget in budgets)
    return replace(plan, budget=budget, evaluated_after=evaluated_after)


def method_config(plan: StudyPlan, number: int, suggestion: Suggestion) -> dict[str, Any]:
    """The method's whole config for a trial: fixed and suggested settings, and the defaults of the rest.

    All trials of an exhaustive space train with the same seeds, so that they differ in their settings alone. Raises
    `InputError` naming the field that the method refuses.
    """
    seed = plan.seed if plan.space.exhaustive else plan.seed + number
    settings = {"seed": seed, **plan.fixed, **suggestion.config}
    method = method_name(plan.space, suggestion)
    try:
        return method_class(method).Config(**settings).model_dump(mode="json")
    except ValidationError as error:
        raise InputError(f"space {plan.space.name!r} sets {_refused(method, error)}.") from error


def _refused(method: str, error: ValidationError) -> str:
    """What a method refuses, and why; a setting and its value, unless several settings do not go together."""
    first = error.errors()[0]
    if not first["loc"]:
        return f"values that {method} refuses: {_reason(error)}"
    return f"{'.'.join(map(str, first['loc']))} of {method} to {first['input']!r}: {_reason(error)}"


def _reason(error: ValidationError) -> str:
    """The first reason, in the words of whoever wrote the check."""
    return error.errors()[0]["msg"].removeprefix("Value error, ")


def first_configs(plan: StudyPlan) -> list[tuple[str, str, dict[str, Any]]]:
    """Data set, method and config of each first trial; of those that differ only in their seed, one."""
    configs = {}
    for number, suggestion in enumerate(_first_suggestions(plan.space)[: plan.trials]):
        dataset, method = suggestion.dataset or plan.datasets[0], method_name(plan.space, suggestion)
        config = method_config(plan, number, suggestion)
        configs[dataset, method, str(config | {"seed": 0})] = dataset, method, config
    return list(configs.values())


def first_trials(plan: StudyPlan) -> list[FirstTrial]:
    """What is tried before the sampler is asked: the best of other studies, and what the space names.

    A first trial of the space that another study has trained is not trained again, unless claims are made about it.
    """
    known = set() if plan.claims else {trial.user_attrs.get(FIRST_TRIAL) for trial in plan.earlier.trials}
    return [*plan.earlier.first, *(first for first in plan.space.first_trials() if first.name not in known)]


def check_first(plan: StudyPlan, firsts: Sequence[FirstTrial]) -> None:
    """Raise `InputError` where the space or its method refuses settings of another study."""
    for first in firsts:
        method_config(plan, 0, suggested(plan.space, FixedTrial(dict(first.params), 0)))


def mutations(space: SearchSpace) -> dict[str, tuple[float, float]]:
    """The continuous settings that population based training may perturb, with their ranges."""
    trial = _random_study().ask()
    settings = space.suggest(trial).config
    return {
        name: (found.low, found.high)
        for name, found in trial.distributions.items()
        if isinstance(found, FloatDistribution) and name in settings
    }


def distributions_of(space: SearchSpace, of_all_trials: bool = False) -> dict[str, BaseDistribution]:
    """Optuna's distribution of each parameter that the first trials and some random suggestions have.

    With `of_all_trials`, of those parameters alone that each of them has, whatever the others are.
    """
    tried: list[Trial | FixedTrial] = [*_fixed_trials(space)]
    tried += [] if space.exhaustive else [_random_study().ask() for _ in range(SUGGESTIONS_TRIED)]
    for trial in tried:
        suggested(space, trial)
    found = {name: distribution for trial in tried for name, distribution in trial.distributions.items()}
    if not of_all_trials:
        return found
    return {name: found[name] for name in found if all(name in trial.distributions for trial in tried)}


def check_method(plan: StudyPlan) -> None:
    """Raise `InputError` where the method cannot be measured, or refuses what the space may suggest.

    The first trials and some random suggestions are tried.
    """
    for protocol in plan.protocols.values():
        for method in plan.space.method_names:
            check_abilities(method, protocol)
    suggestions = _suggestions(plan.space)
    if plan.scheduler != "none" and len({suggestion.pace for suggestion in suggestions}) > 1:
        raise InputError(
            f"the trials of space {plan.space.name!r} have different numbers of rounds, so that {plan.scheduler} "
            "cannot compare them early: leave out --scheduler."
        )
    for number, suggestion in enumerate(suggestions):
        _refuse_other_names(plan, suggestion)
        method_config(plan, number, suggestion)


def spoken_settings(settings: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """Settings as a person reads them: "image_lr 0.01, lambda_tv off"; `params` are Optuna's."""
    return ", ".join(f"{name} {_spoken(value, params.get(name))}" for name, value in settings.items())


def is_off(value: Any, param: Any) -> bool:
    """Whether a weight is so small that the space leaves its term out (`weight_or_off`)."""
    return value == 0 and bool(param)


def _spoken(value: Any, param: Any) -> str:
    if is_off(value, param):
        return "off"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _refuse_other_names(plan: StudyPlan, suggestion: Suggestion) -> None:
    """Raise `InputError` for a data set or a method that the space does not announce."""
    names = (
        ("data set", suggestion.dataset, "datasets", plan.datasets),
        ("method", suggestion.method, "methods", plan.space.method_names),
    )
    for what, name, field, announced in names:
        if name is not None and name not in announced:
            raise InputError(
                f"space {plan.space.name!r} suggests {what} {name!r}, which is not among its {field}: "
                f"{', '.join(announced)}."
            )
    if plan.space.methods and suggestion.method is None:
        raise InputError(f"space {plan.space.name!r} has several methods, and suggests a trial that names none.")


def parse_assignments(assignments: Sequence[str], space: SearchSpace) -> dict[str, Any]:
    """The settings of `--set KEY=VALUE ...`, as JSON; every method of the space gets them.

    Raises `InputError` for a setting that a method does not know or refuses, and for one that the space searches.
    """
    suggestions = _suggestions(space)
    searched = {name for suggestion in suggestions for name in suggestion.config}
    settings: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise InputError(f"--set {assignment}: write KEY=VALUE.")
        for method in space.method_names:
            lookup(f"setting of {method}", key, method_class(method).Config.model_fields)
        if key == "seed":
            raise InputError(f"--set {assignment}: seeds follow from the study's, say --seed {text}.")
        if key in searched:
            raise InputError(f"--set {assignment}: space {space.name!r} searches {key}, choose another setting.")
        for method, suggestion in {method_name(space, s): s for s in reversed(suggestions)}.items():
            others = {**space.scale.fixed, **settings, **suggestion.config}
            settings[key] = _parsed(method_class(method).Config, key, text, others)
    return settings


def _parsed(config: type[MethodConfig], key: str, text: str, others: Mapping[str, Any]) -> Any:
    """The value that `text` stands for: the text itself if the method takes it, else its JSON."""
    refusals = []
    for value in (text, _from_json(text)):
        try:
            return config(**{**others, key: value}).model_dump(mode="json")[key]
        except ValidationError as error:
            refusals.append(_reason(error))
    raise InputError(f"--set {key}={text}: {refusals[0]}.")


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _suggestions(space: SearchSpace) -> list[Suggestion]:
    """The suggestions of the first trials and, unless the space is exhaustive, some random ones."""
    if space.exhaustive:
        return _first_suggestions(space)
    study = _random_study()
    return _first_suggestions(space) + [suggested(space, study.ask()) for _ in range(SUGGESTIONS_TRIED)]


def points_of(space: SearchSpace) -> list[Mapping[str, Any]]:
    """The Optuna parameters of the first trials and, unless the space is exhaustive, of some random suggestions."""
    points: list[Mapping[str, Any]] = [first.params for first in space.first_trials()]
    study = _random_study()
    for _ in range(0 if space.exhaustive else SUGGESTIONS_TRIED):
        trial = study.ask()
        suggested(space, trial)
        points.append(trial.params)
    return points


def _first_suggestions(space: SearchSpace) -> list[Suggestion]:
    return [suggested(space, trial) for trial in _fixed_trials(space)]


def _fixed_trials(space: SearchSpace) -> list[FixedTrial]:
    return [FixedTrial(dict(first.params), number) for number, first in enumerate(space.first_trials())]


def suggested(space: SearchSpace, trial: BaseTrial) -> Suggestion:
    """A suggestion of the space; raises `InputError` if the space fails or returns something else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna warns of values beyond a range, which the method may take
            suggestion = space.suggest(trial)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"space {space.name!r} cannot suggest a trial ({reason}).") from error
    if not isinstance(suggestion, Suggestion):
        raise InputError(f"space {space.name!r} suggests a {type(suggestion).__name__}: it must return a Suggestion.")
    return suggestion


def _random_study() -> optuna.Study:
    return optuna.create_study(sampler=RandomSampler(seed=0))
