"""Trials that were stopped early go on from their checkpoints (`--revive`), as new trials: ended ones cannot change."""

from __future__ import annotations

import shutil

import optuna
from optuna.trial import TrialState

from study.folder import StudyFolder
from study.optuna_storage import REVIVED, best_first, trained

LOCKS = "*.lock"


def revive(study: optuna.Study, number: int) -> None:
    """Enqueue the best trials that were stopped early, so many, by their last values; one is revived once."""
    stopped = [trial for trial in trained(study, TrialState.PRUNED) if trial.values]
    before = revived(study).values()
    for trial in best_first(study, stopped)[:number]:
        if trial.number not in before:
            study.enqueue_trial(trial.params, user_attrs={REVIVED: trial.number})


def revived(study: optuna.Study) -> dict[int, int]:
    """The numbers of revived trials, and of those that they go on from."""
    return {t.number: t.user_attrs[REVIVED] for t in trained(study) if REVIVED in t.user_attrs}


def bring_checkpoints(folder: StudyFolder, origin: int, number: int) -> None:
    """Give trial `number` what trial `origin` has in its folder, whole or not at all, unless that was done."""
    source, target = folder.trial(origin), folder.trial(number)
    if target.exists() or not source.exists():
        return
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial, ignore=shutil.ignore_patterns(LOCKS))
    partial.rename(target)
