"""Ray's Searcher on Optuna's ask and tell. Optuna's storage is the study's memory; nothing is pickled."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from ray.tune.search import Searcher

from search_spaces import SearchSpace
from study.results import FAILURE, is_finite, numbers
from study.snapshot import NotInSnapshot
from trainables.metrics.names import direction
from trainables.training import TrialSpec

FIRST_TRIAL = "first_trial"
METRICS = "metrics"


def open_storage(path: Path) -> JournalStorage:
    """A journal file: one writer, the driver; also works on network file systems."""
    return JournalStorage(JournalFileBackend(str(path)))


def make_sampler(seed: int) -> BaseSampler:
    """TPE that models parameters jointly, group by group, and keeps parallel trials apart."""
    warnings.simplefilter("ignore", ExperimentalWarning)
    return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


def create_study(name: str, storage: optuna.storages.BaseStorage, space: SearchSpace) -> optuna.Study:
    """A new Optuna study with the space's first trials enqueued."""
    study = optuna.create_study(
        study_name=name, storage=storage, directions=[direction(metric) for metric in space.objectives]
    )
    for first in space.first_trials():
        study.enqueue_trial(dict(first.params), user_attrs={FIRST_TRIAL: first.name})
    return study


def ask(study: optuna.Study, seed: int) -> optuna.Trial:
    """The next trial. What is suggested follows from the history, the seed and the trial's number alone."""
    number = sum(trial.state != TrialState.WAITING for trial in study.get_trials(deepcopy=False))
    # A stream of its own for each (seed, number): the trials of studies with neighbouring seeds do not coincide.
    study.sampler = make_sampler(int(np.random.SeedSequence([seed, number]).generate_state(1)[0]))
    return study.ask()


class OptunaSearcher(NotInSnapshot, Searcher):
    """Hands Optuna's suggestions to Ray and Ray's results to Optuna.

    A trial that ends early is PRUNED, one that fails or whose objective is not finite is FAIL with the reason
    among its attributes, one that used its budget is COMPLETE.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: SearchSpace,
        make_spec: Callable[[optuna.Trial], TrialSpec],
        seed: int,
    ) -> None:
        super().__init__()
        self._study = study
        self._space = space
        self._make_spec = make_spec
        self._seed = seed
        self._trials: dict[str, optuna.Trial] = {}
        self._specs: dict[str, TrialSpec] = {}

    def suggest(self, trial_id: str) -> Any:
        """The config of a new Ray trial, a dict; FINISHED when the space has no more."""
        if self._space.exhaustive and not self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            return Searcher.FINISHED
        trial = ask(self._study, self._seed)
        spec = self._make_spec(trial)
        self._trials[trial_id], self._specs[trial_id] = trial, spec
        return {"spec": spec.model_dump(mode="json")}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Report an intermediate value."""
        self._report(trial_id, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell Optuna how the trial ended."""
        trial, spec = self._trials.pop(trial_id), self._specs.pop(trial_id)
        if error or result is None:
            self._fail(trial, "the process of the trial ended")
        elif FAILURE in result:
            self._fail(trial, result[FAILURE])
        elif bad := [metric for metric in self._space.objectives if not is_finite(result.get(metric))]:
            self._fail(trial, f"{bad[0]} is {result.get(bad[0])}")
        else:
            trial.set_user_attr(METRICS, numbers(result))
            values = [result[metric] for metric in self._space.objectives]
            if result["round"] < spec.rounds:
                self._study.tell(trial, state=TrialState.PRUNED)
            else:
                self._study.tell(trial, values)

    def _report(self, trial_id: str, result: dict[str, Any]) -> None:
        """Optuna takes intermediate values of single-objective studies, each step once."""
        trial = self._trials[trial_id]
        objectives = self._space.objectives
        if len(objectives) > 1 or not is_finite(result.get(objectives[0])):
            return
        if result["round"] not in self._frozen(trial).intermediate_values:
            trial.report(result[objectives[0]], result["round"])

    def _frozen(self, trial: optuna.Trial) -> FrozenTrial:
        return self._study._storage.get_trial(trial._trial_id)

    def _fail(self, trial: optuna.Trial, reason: str) -> None:
        trial.set_user_attr(FAILURE, reason)
        self._study.tell(trial, state=TrialState.FAIL)

    # What would be kept in Ray's snapshot is in Optuna's storage.

    def save(self, checkpoint_path: str) -> None:
        """Nothing to do."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to do."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing to do."""
