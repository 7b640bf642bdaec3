"""What the end of a study tells MLflow and the person: ends of trials, the best one, the status, pages to look at."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import optuna
from optuna.trial import TrialState

from study import events
from study.folder import trial_key
from study.interruption import Interruption
from study.mlflow_pages import COMPARED, pages
from study.optuna_storage import FIRST_TRIAL, broken_by, ranked, trained
from study.plan import StudyPlan
from study.runs import Runs
from study.spending import Spending
from study.spool import Event
from study.trials import FAILURE
from study.ui import HOST, PORT
from trainables.credentials import without_credentials
from trainables.export import BEST_FILE
from trainables.files import write_atomically
from trainables.repetitions import PER_SEED


def missed_ends(
    plan: StudyPlan, study: optuna.Study, spending: Spending, unfinished: Collection[str]
) -> Iterator[Event]:
    """Ends of trials that an earlier driver told Optuna but not MLflow: it was killed in between.

    `unfinished` are the keys of the trials whose runs have no end.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)):
        if trial_key(trial.number) in unfinished:
            folder = plan.folder.trial(trial.number)
            if PER_SEED in trial.user_attrs:
                events.keep_per_seed(folder, trial.user_attrs[PER_SEED])
            at = max(trial.intermediate_values, default=0)
            failure = trial.user_attrs.get(FAILURE)
            yield events.trial_ended(trial.number, folder, failure, spending.hours(trial), at, broken_by(trial))


def end_of_study(
    plan: StudyPlan, study: optuna.Study, spending: Spending, interruption: Interruption, text: str
) -> Iterator[Event]:
    """The Pareto front, the best trial and the status; the best weights are copied into the study's folder."""
    finished = ranked(study)
    best = finished[0].number if finished else None
    exported = plan.folder.path / BEST_FILE
    if best is not None and (weights := plan.folder.trial(best) / BEST_FILE).exists():
        write_atomically(exported, weights.read_bytes())
    if len(plan.objectives) > 1:
        front = {trial.number for trial in study.best_trials}
        for trial in trained(study, TrialState.COMPLETE):
            yield events.trial_compared(trial.number, trial.number in front)
    yield events.study_ended(best, exported, status_of(study, interruption), spending.of_study(), text)


def status_of(study: optuna.Study, interruption: Interruption) -> str:
    """What MLflow is told of the study: one that has not finished any trial, and may, has not failed."""
    if interruption.received:
        return "KILLED"
    if trained(study, TrialState.COMPLETE, TrialState.PRUNED):
        return "FINISHED"
    return "KILLED" if study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)) else "FAILED"


def pages_of(plan: StudyPlan, study: optuna.Study, runs: Runs) -> dict[str, str]:
    """MLflow's pages of the study, at the server that was named or at the one that `python -m study.ui` starts."""
    is_server = plan.tracking_uri.startswith("http")
    server = without_credentials(plan.tracking_uri).rstrip("/") if is_server else f"http://{HOST}:{PORT}"
    first = [trial for trial in study.get_trials(deepcopy=False) if FIRST_TRIAL in trial.user_attrs]
    compared = [trial_key(trial.number) for trial in [*ranked(study)[:COMPARED], *first]]
    ids = [runs.ids[key] for key in compared if key in runs.ids]
    return pages(server, runs.experiment_id, plan.name, ids)
