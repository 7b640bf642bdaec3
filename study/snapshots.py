"""Ray Tune's snapshots of a study leave its trials out: Optuna's storage and the trials' own files are its memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ray.tune.execution.tune_controller import TuneController


@contextmanager
def snapshots_without_trials() -> Iterator[None]:
    """Ray Tune's snapshots hold no trials meanwhile, which no setting of its own brings about.

    Nothing reads them, but Ray needs the file. With its trials, the one that Ray writes at the end, also after a
    signal, takes longer than a batch system waits before it kills a driver of thousands of trials.
    """
    with_trials = TuneController._get_trial_checkpoints
    TuneController._get_trial_checkpoints = _nothing  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        TuneController._get_trial_checkpoints = with_trials  # type: ignore[method-assign]


def _nothing(controller: TuneController) -> dict[str, str]:
    return {}
