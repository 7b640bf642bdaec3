"""Ray's Searcher on Optuna's ask and tell. Optuna's storage is the study's memory; nothing is pickled."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.trial import TrialState
from ray.tune.search import Searcher

from study.constraints import Constraint, violations
from study.journal import settle
from study.limiter import Limiter
from study.nodes.placement import NODE
from study.optuna_storage import METRICS, REVIVED, ask, num_started, reopen, waits_revived
from study.spending import AGAIN_AT, PAUSED_AT, stamp
from study.trials import FAILURE, PROCESS_LOST, NotInSnapshot, is_finite, numbers
from trainables.repetitions import PER_SEED
from trainables.trial_spec import TrialSpec

LOST = "lost"
"""How often the trial's process was lost since the trial last got further."""
LOST_AT = "lost_at"
"""The last round that the trial had reported when its process was lost."""

MAX_RESTARTS = 2
"""How often a trial whose process was lost starts again from the same checkpoint."""


class OptunaSearcher(NotInSnapshot, Searcher):
    """Hands Optuna's suggestions to Ray and Ray's results to Optuna, until `num_trials` have been finished.

    A trial that used its budget is COMPLETE, one that was stopped early is PRUNED with its last value, one that
    failed or whose objective is not finite is FAIL with the reason among its attributes. A trial whose process was
    lost is handed out again, a few times, as a new Ray trial that goes on from its checkpoint. One that `limiter`
    paused stays RUNNING, for the next driver. At most `capacity()` trials run or wait to be started.
    """

    def __init__(
        self,
        study: optuna.Study,
        objectives: Sequence[str],
        make_spec: Callable[[optuna.Trial], TrialSpec],
        num_trials: int,
        sampler: str = "tpe",
        seed: int = 0,
        capacity: Callable[[], float] = lambda: math.inf,
        choose_node: Callable[[int, set[int]], str | None] | None = None,
        limiter: Limiter | None = None,
        constraints: Sequence[Constraint] = (),
    ) -> None:
        super().__init__()
        self._study = study
        self._objectives = objectives
        self._make_spec = make_spec
        self._num_trials = num_trials
        self._sampler = sampler
        self._seed = seed
        self._capacity = capacity
        self._choose_node = choose_node
        self._limiter = limiter
        self._constraints = constraints
        self._again = reopen(study, sampler, seed, num_trials)
        self._started = num_started(study)
        self._paused: set[int] = set()
        self._trials: dict[str, optuna.Trial] = {}
        self._specs: dict[str, TrialSpec] = {}
        self._rounds: dict[str, int] = {}
        self._is_closed = False

    def suggest(self, trial_id: str) -> Any:
        """The config of a new Ray trial, a dict; FINISHED at the end.

        None while there is no room, so that a later suggestion knows more results. None also while the last trials
        run: one that is lost is handed out again.
        """
        if self._is_closed:
            return Searcher.FINISHED
        if len(self._trials) >= self._capacity():
            return None
        going_on = self._again[0] if self._again else None
        is_left = going_on is not None or self._started < self._num_trials or waits_revived(self._study)
        if not is_left or not (self._limiter is None or self._limiter.may_start(going_on)):
            return None if self._trials else Searcher.FINISHED
        if going_on is not None:
            trial = self._again.pop(0)
            stamp(trial, AGAIN_AT)
        else:
            trial = ask(self._study, self._sampler, self._seed, self._num_trials, self._started)
            self._started += REVIVED not in trial.user_attrs
        if self._limiter is not None:
            self._limiter.begin(trial_id, trial)
        spec = self._make_spec(trial)
        settle(self._study)
        self._trials[trial_id], self._specs[trial_id] = trial, spec
        config = {"spec": spec.model_dump(mode="json")}
        node = self._choose_node(trial.number, self.running()) if self._choose_node else None
        return config | ({NODE: node} if node else {})

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Report an intermediate value; Optuna takes them for single objectives, each step once."""
        trial = self._trials[trial_id]
        self._rounds[trial_id] = result["round"]
        value = result.get(self._objectives[0])
        if len(self._objectives) > 1 or not is_finite(value):
            return
        known = self._study._storage.get_trial(trial._trial_id).intermediate_values
        if result["round"] not in known:
            trial.report(float(value), result["round"])

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell Optuna how the trial ended."""
        if self._is_closed or trial_id not in self._trials:
            return
        if self._limiter is not None:
            self._limiter.end(trial_id)
        if error or result is None:
            self._lost(trial_id)
            return
        self.on_trial_result(trial_id, result)  # Ray leaves out the last one
        trial, spec = self._trials.pop(trial_id), self._specs.pop(trial_id)
        del self._rounds[trial_id]
        if self._limiter is not None and trial_id in self._limiter.paused:
            stamp(trial, PAUSED_AT)
            self._paused.add(trial.number)
            return
        if PER_SEED in result:
            trial.set_user_attr(PER_SEED, [each and numbers(each) for each in result[PER_SEED]])
        if FAILURE in result:
            self._fail(trial, result[FAILURE])
        elif bad := [metric for metric in self._objectives if not is_finite(result.get(metric))]:
            self._fail(trial, f"{bad[0]} is {result.get(bad[0])}")
        else:
            trial.set_user_attr(METRICS, numbers(result))
            for text, violation in violations(self._constraints, numbers(result)).items():
                trial.set_constraint(text, violation)
            if result["round"] < spec.rounds:
                self._study.tell(trial, state=TrialState.PRUNED)
            else:
                self._study.tell(trial, [result[metric] for metric in self._objectives])

    def goes_on(self, number: int) -> bool:
        """Whether the trial, which Ray has ended, goes on later: it was paused, or its process was lost."""
        return number in self._paused or any(trial.number == number for trial in self._again)

    def running(self) -> set[int]:
        """The numbers of the trials that run or wait to be started."""
        return {trial.number for trial in self._trials.values()}

    def close(self) -> None:
        """The driver is about to stop: trials that Ray ends from now on are not finished."""
        self._is_closed = True

    def _lost(self, trial_id: str) -> None:
        trial = self._trials.pop(trial_id)
        del self._specs[trial_id]
        known = trial.user_attrs
        reached = self._rounds.pop(trial_id, known.get(LOST_AT, 0))
        times = known.get(LOST, 0) + 1 if reached <= known.get(LOST_AT, 0) else 1
        trial.set_user_attr(LOST, times)
        trial.set_user_attr(LOST_AT, reached)
        if times <= MAX_RESTARTS:
            self._again.append(trial)
        else:
            self._fail(trial, PROCESS_LOST)

    def _fail(self, trial: optuna.Trial, reason: str) -> None:
        trial.set_user_attr(FAILURE, reason)
        self._study.tell(trial, state=TrialState.FAIL)

    # Ray calls these. Optuna's storage keeps what they would save.

    def save(self, checkpoint_path: str) -> None: ...

    def restore(self, checkpoint_path: str) -> None: ...

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None: ...
