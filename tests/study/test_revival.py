"""Trials that were stopped early, and go on."""

from __future__ import annotations

import optuna
import pytest
from optuna.trial import TrialState

from study.folder import StudyFolder
from study.optuna_storage import num_started
from study.revival import bring_checkpoints, revive, revived
from study.schedulers import make_scheduler
from tests.study.test_searcher import make_searcher


@pytest.fixture
def study():
    """Three trials were stopped early, with the values 3, 1 and 2, and one has finished."""
    study = optuna.create_study()
    for value, state in ((3.0, "PRUNED"), (1.0, "PRUNED"), (0.5, "COMPLETE"), (2.0, "PRUNED")):
        trial = study.ask()
        trial.suggest_float("image_lr", 1e-2, 0.3, log=True)
        trial.report(value, 2)
        study.tell(trial, None if state == "PRUNED" else value, state=TrialState[state])
    return study


def test_the_best_are_revived_once(study):
    revive(study, 2)
    assert list(revived(study).values()) == [1, 3]
    revive(study, 2)
    assert list(revived(study).values()) == [1, 3]
    revive(study, 3)
    assert list(revived(study).values()) == [1, 3, 0]
    for number, origin in revived(study).items():
        assert study.trials[number].system_attrs["fixed_params"] == study.trials[origin].params


def test_they_are_trained_beside_the_trials_of_the_study(study):
    from search_spaces.gradnorm import GradNorm

    revive(study, 1)
    searcher = make_searcher(study, GradNorm("smoke"), num_trials=4)
    assert searcher.suggest("a")["spec"]["number"] == 4
    assert searcher.suggest("b") is None
    assert num_started(study) == 4


def test_no_scheduler_stops_them(study):
    class Trial:
        experiment_tag = ""

        def __init__(self, number):
            self.config = {"spec": {"number": number}}

    for name in ("asha", "median", "hyperband"):
        history = [(number, {2: 1.0, 4: 1.0, 6: 1.0}) for number in range(8)]
        for spared, decision in (((), "STOP"), ((9,), "CONTINUE")):
            scheduler = make_scheduler(name, "fid", "minimize", 6, 2, history, spared=spared)
            scheduler.on_trial_add(None, Trial(9))
            said = {scheduler.on_trial_result(None, Trial(9), {"round": at, "fid": 50.0}) for at in (2, 4)}
            if name != "hyperband" or spared:
                assert decision in said, name


def test_the_checkpoints_are_copied_whole_or_not_at_all(tmp_path):
    folder = StudyFolder(tmp_path)
    (folder.trial(1) / "checkpoints").mkdir(parents=True)
    (folder.trial(1) / "checkpoints" / "a").write_text("a")
    (folder.trial(1) / "trial.lock").touch()
    half = folder.trial(5).with_suffix(".partial")
    half.mkdir()
    (half / "rubbish").touch()
    bring_checkpoints(folder, 1, 5)
    assert sorted(path.name for path in folder.trial(5).rglob("*")) == ["a", "checkpoints"]
    (folder.trial(5) / "checkpoints" / "a").write_text("further")
    bring_checkpoints(folder, 1, 5)
    assert (folder.trial(5) / "checkpoints" / "a").read_text() == "further"
    bring_checkpoints(folder, 2, 6)  # nothing is left of it: it is trained from the start
    assert not folder.trial(6).exists()
