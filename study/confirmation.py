"""The best configurations of a finished study as a search space: nothing is searched, new seeds are tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from optuna.trial import BaseTrial, FixedTrial, FrozenTrial

from search_spaces.space import FirstTrial, SearchSpace, Suggestion
from study.optuna_storage import load, ranked
from study.plan import StudyPlan
from study.trial_specs import method_config, method_name
from trainables.errors import InputError

NEW_SEEDS = 500_000_000
"""Added to a configuration's seed, so that it differs from all seeds of a search."""

PARAMETER = "confirmed_trial"
"""The parameter of a confirmation: the number of a trial in the study that is confirmed."""


def confirm_best(original: StudyPlan, top: int) -> SearchSpace:
    """The space of the best `top` trials of a study; raises `InputError` where there are none."""
    study = load(original.optuna_storage, original.name)
    best = ranked(study)[:top]
    if not best:
        raise InputError(f"study {original.name!r} has no finished trial to confirm.")
    return _confirmation(original, study.trials, [trial.number for trial in best])


def _confirmation(original: StudyPlan, trials: Sequence[FrozenTrial], best: Sequence[int]) -> SearchSpace:
    space = original.space

    class Confirmation(SearchSpace):
        name = space.name
        description = f"the best trials of {original.name}, with new seeds"
        methods = space.method_names
        datasets = space.datasets
        exhaustive = True

        def suggest(self, trial: BaseTrial) -> Suggestion:
            # Any trial may be asked for: when a confirmation is resumed, other trials may be the best by then.
            number = trial.suggest_int(PARAMETER, 0, 10**9)
            found = space.suggest(FixedTrial(trials[number].params, number))
            config = method_config(original, number, found)
            named = replace(found, method=method_name(space, found))
            return replace(named, config={**config, "seed": config["seed"] + NEW_SEEDS})

        def first_trials(self) -> list[FirstTrial]:
            return [FirstTrial(f"trial {number} of {original.name}", {PARAMETER: number}) for number in best]

    return Confirmation(space.scale_name, replace(space.scale, fixed=original.fixed))
