"""Optuna's samplers by name. One is made for each trial, seeded by the study's seed and the trial's number."""

from __future__ import annotations

import bisect
import copy
import math
import warnings
from collections.abc import Callable, Container, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import optuna
import optuna.samplers as samplers
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from trainables.errors import InputError, lookup

warnings.simplefilter("ignore", ExperimentalWarning)
# First trials may have published values that a scale does not search.
warnings.filterwarnings("ignore", message="Fixed parameter .* is out of range", category=UserWarning)
warnings.filterwarnings("ignore", message="The value .* is out of the range of the distribution", category=UserWarning)
warnings.filterwarnings("ignore", message="Constraints have been set, but CmaEsSampler", category=UserWarning)

START_UP = 8
MOST_START_UP = 16
START_UP_SHARE = 3
"""Trials, with the first ones, before TPE models anything: a third of a study's, if that is neither less nor more.

After few, it stays near the best of those that were not stopped early, and in a long study finds less than random
search (docs/study.md). A short study has no time for many.
"""

MOST_SEEN, BEST_SEEN = 400, 25
"""TPE learns from at most so many ended trials, among them so many of the best: as many as it compares with the others.
More of the best would be among the others, and TPE would keep away from where they are. With 250, it finds the minimum
of a single setting half as precisely as with 400."""

GRID_PROBES = 50
"""Random trials that show which parameters a space has: some are there only with certain values of others."""


class Tpe(samplers.TPESampler):
    """TPE that models parameters jointly, conditional ones in groups, and keeps parallel trials apart.

    Which parameters form a group follows from one trial of each kind. Optuna would go through all trials, for each
    suggestion again, and come to the same.
    """

    def __init__(self, seed: int, num_trials: int) -> None:
        start_up = min(max(START_UP, num_trials // START_UP_SHARE), MOST_START_UP)
        super().__init__(seed=seed, n_startup_trials=start_up, multivariate=True, group=True, constant_liar=True)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return super().infer_relative_search_space(_seen(study, lambda trials: _known(study, trials).kinds()), trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if len(study.directions) > 1:
            return super().sample_relative(study, trial, search_space)
        view = _seen(study, lambda trials: _known(study, trials).most_telling(trials))
        return super().sample_relative(view, trial, search_space)


class _Known:
    """What TPE needs to know of all trials of a study. A trial that has ended does not change, so it is read once."""

    def __init__(self, rises: bool) -> None:
        self._rises = rises
        self._read = 0
        self._open: list[int] = []
        self._ended: list[int] = []
        self._best: list[tuple[tuple[bool, bool, float], int]] = []
        self._kinds: dict[tuple[TrialState, tuple[str, ...]], FrozenTrial] = {}

    def update(self, trials: Sequence[FrozenTrial]) -> None:
        """Read the trials that have ended since the last time; `trials` are all, by number."""
        unread = [*self._open, *range(self._read, len(trials))]
        self._read = len(trials)
        self._open = [number for number in unread if not trials[number].state.is_finished()]
        for trial in (trials[number] for number in unread):
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
                bisect.insort(self._ended, trial.number)
                bisect.insort(self._best, (self._rank(trial), trial.number))
                del self._best[BEST_SEEN:]
                kind = trial.state, tuple(trial.distributions)
                self._kinds[kind] = min(self._kinds.get(kind, trial), trial, key=lambda each: each.number)

    def kinds(self) -> list[FrozenTrial]:
        """The first trial that ended in each way with each set of parameters."""
        return sorted(self._kinds.values(), key=lambda trial: trial.number)

    def most_telling(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        """All trials, or of very many: those that run, the best, and as many others as are needed, from all times.

        TPE compares the 25 best with all others. It looks at each of them for each suggestion, which takes longer than
        a short trial where there are a thousand, and draws the density of the others hardly finer.
        """
        if len(self._ended) <= MOST_SEEN:
            return trials
        others = (self._ended[at] for at in np.linspace(0, len(self._ended) - 1, MOST_SEEN - BEST_SEEN).astype(int))
        running = (number for number in self._open if trials[number].state == TrialState.RUNNING)
        return [trials[number] for number in sorted({*others, *running, *(number for _, number in self._best)})]

    def _rank(self, trial: FrozenTrial) -> tuple[bool, bool, float]:
        value = trial.values[0] if trial.values else math.nan
        loss = math.inf if math.isnan(value) else -value if self._rises else value
        is_infeasible = any(violation > 0 for violation in trial.constraints.values())
        return is_infeasible, trial.state != TrialState.COMPLETE, loss


_KNOWN: WeakKeyDictionary[optuna.Study, _Known] = WeakKeyDictionary()


def _known(study: optuna.Study, trials: Sequence[FrozenTrial]) -> _Known:
    """What is known of a study that has these trials."""
    if study not in _KNOWN:
        _KNOWN[study] = _Known(study.directions[0] == StudyDirection.MAXIMIZE)
    _KNOWN[study].update(trials)
    return _KNOWN[study]


def _seen(study: optuna.Study, change: Callable[[list[FrozenTrial]], list[FrozenTrial]]) -> optuna.Study:
    """The same study, of which a sampler sees what `change` makes of its trials, while it suggests one trial."""

    known: list[FrozenTrial] = []

    def get_trials(
        deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        if not known:
            known.extend(change(study._get_trials(deepcopy, use_cache=use_cache)))
        return [trial for trial in known if states is None or trial.state in states]

    view = copy.copy(study)
    view._get_trials = get_trials  # type: ignore[method-assign]
    return view


class LearnsFromStopped(BaseSampler):
    """Shows a sampler that reads complete trials alone the ones that were stopped early, too, with their last values.

    Early stopping ends most trials. Without them, such a sampler would hardly learn anything. TPE reads them itself.
    """

    def __init__(self, sampler: BaseSampler) -> None:
        self._sampler = sampler

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._sampler.infer_relative_search_space(_with_stopped(study), trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._sampler.sample_relative(_with_stopped(study), trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._sampler.sample_independent(_with_stopped(study), trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._sampler.before_trial(_with_stopped(study), trial)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        self._sampler.after_trial(_with_stopped(study), trial, state, values)

    def reseed_rng(self) -> None:
        self._sampler.reseed_rng()


def _with_stopped(study: optuna.Study) -> optuna.Study:
    """The same study, whose stopped trials look complete."""
    return _seen(study, lambda trials: [_as_complete(trial) for trial in trials])


def _as_complete(trial: FrozenTrial) -> FrozenTrial:
    if trial.state != TrialState.PRUNED or trial.value is None:
        return trial
    shown = copy.copy(trial)
    shown.state = TrialState.COMPLETE
    return shown


# What these two do not model, they draw at random; they would say so at each trial, and docs/study.md says it once.
MODEL_SETTINGS: dict[str, Any] = {"n_startup_trials": START_UP, "warn_independent_sampling": False}

SAMPLERS: dict[str, Callable[[int, int], BaseSampler]] = {
    "tpe": Tpe,
    "gp": lambda seed, _: LearnsFromStopped(samplers.GPSampler(seed=seed, **MODEL_SETTINGS)),
    "cmaes": lambda seed, _: LearnsFromStopped(samplers.CmaEsSampler(seed=seed, **MODEL_SETTINGS)),
    "random": lambda seed, _: samplers.RandomSampler(seed=seed),
    "qmc": lambda seed, _: samplers.QMCSampler(seed=seed, scramble=True),
    "grid": lambda seed, _: samplers.BruteForceSampler(seed=seed),
    "nsga2": lambda seed, _: samplers.NSGAIISampler(seed=seed),
    "nsga3": lambda seed, _: samplers.NSGAIIISampler(seed=seed),
}
"""By name, what makes a sampler of its seed and the number of the study's trials."""

ONE_OBJECTIVE_ONLY = ("cmaes",)
ONE_SEQUENCE = ("qmc", "grid")
"""Samplers that walk through one sequence, whose place is in the storage: all trials share a seed."""


def make_sampler(name: str, seed: int, trial_number: int, num_trials: int) -> BaseSampler:
    """The sampler for one trial: what it suggests follows from the history, the seed and the two numbers alone.

    Each (seed, number) has a random stream of its own, so the trials of studies with neighbouring seeds differ.
    """
    make = lookup("sampler", name, SAMPLERS)
    number = 0 if name in ONE_SEQUENCE else trial_number
    return make(int(np.random.SeedSequence([seed, number]).generate_state(1)[0]), num_trials)


def check_grid(suggest: Callable[[optuna.Trial], object], flag: str = "--sampler grid") -> None:
    """Raise `InputError` where `suggest` draws a number of a continuous range, which no grid covers."""
    study = optuna.create_study(sampler=samplers.RandomSampler(seed=0))
    for _ in range(GRID_PROBES):
        trial = study.ask()
        suggest(trial)
        for name, distribution in trial.distributions.items():
            if isinstance(distribution, FloatDistribution) and distribution.step is None and not distribution.single():
                raise InputError(
                    f"{flag} tries every value, and {name!r} of this space is any number from {distribution.low:g} to "
                    f"{distribution.high:g}: choose another sampler."
                )


def check_sampler(name: str, num_objectives: int) -> None:
    """Raise `InputError` for an unknown sampler, or one that cannot work with several objectives."""
    lookup("sampler", name, SAMPLERS)
    if num_objectives > 1 and name in ONE_OBJECTIVE_ONLY:
        raise InputError(f"--sampler {name} takes one objective only: use tpe, nsga2 or nsga3 for several.")
