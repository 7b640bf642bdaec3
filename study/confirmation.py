"""The best configurations of a finished study as a search space: nothing is searched, new seeds are tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from optuna.trial import BaseTrial, FrozenTrial

from search_spaces import FirstTrial, SearchSpace

NEW_SEEDS = 500_000_000
"""Added to a configuration's seed: beyond the seeds that a search uses."""


class Confirmation(SearchSpace):
    """`trials` of a study of `space`; `configure` gives the settings of one of them, by its number."""

    exhaustive = True

    def __init__(
        self,
        space: SearchSpace,
        study: str,
        trials: Sequence[FrozenTrial],
        configure: Callable[[int], dict[str, Any]],
    ) -> None:
        self.name, self.method, self.objectives = space.name, space.method, space.objectives  # type: ignore[misc]
        self.scale_name, self.scale, self.datasets = space.scale_name, space.scale, space.datasets  # type: ignore[misc]
        self._study = study
        self._trials = trials
        self._configure = configure

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        """The config of a trial of the confirmed study, with a new seed."""
        config = self._configure(trial.suggest_int("confirmed_trial", 0, 10**9))
        return config | {"seed": config["seed"] + NEW_SEEDS}

    def first_trials(self) -> list[FirstTrial]:
        """The trials, the best first."""
        return [
            FirstTrial(f"trial {trial.number} of {self._study}", {"confirmed_trial": trial.number})
            for trial in self._trials
        ]
