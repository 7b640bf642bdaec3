from __future__ import annotations

import logging
import statistics

import optuna
import pytest
from optuna.trial import TrialState

from study import samplers
from study.config import StudyConfig
from study.optuna_storage import ask
from study.planning import make_plan
from study.samplers import check_grid
from trainables.errors import InputError


def test_a_grid_over_a_continuous_range_is_refused(tmp_path):
    config = StudyConfig(space="gradnorm", scale="smoke", storage_dir=tmp_path, sampler="grid")
    with pytest.raises(InputError, match=r"--sampler grid tries every value, and '.*' of this space is any number"):
        make_plan(config)


def test_a_range_that_only_some_settings_have_is_found():
    def suggest(trial):
        if trial.suggest_categorical("kind", ["a", "b", "c", "d"]) == "d":
            trial.suggest_float("lr", 0.1, 1.0)

    with pytest.raises(InputError, match=r"'lr' of this space is any number from 0\.1 to 1"):
        check_grid(suggest)


def test_steps_and_integers_are_a_grid():
    def suggest(trial):
        trial.suggest_int("depth", 1, 3)
        trial.suggest_float("width", 0.5, 1.5, step=0.5)
        trial.suggest_float("fixed", 1.0, 1.0)

    check_grid(suggest)


def best_is_at_seven_tenths(sampler, trials, seed):
    """What is suggested where every trial is stopped early."""
    study = optuna.create_study()
    suggested = []
    for _ in range(trials):
        trial = ask(study, sampler, seed)
        x, y = (trial.suggest_float(name, 0.0, 1.0) for name in "xy")
        suggested.append(max(abs(x - 0.7), abs(y - 0.7)))
        trial.report((x - 0.7) ** 2 + (y - 0.7) ** 2, 1)
        study.tell(trial, state=TrialState.PRUNED)
    return suggested


@pytest.mark.parametrize(("sampler", "trials", "seeds"), [("tpe", 30, (0, 1)), ("gp", 12, (0,)), ("cmaes", 50, (0, 1))])
def test_samplers_learn_from_trials_that_were_stopped_early(sampler, trials, seeds):
    """Optuna's own GP and CMA-ES read complete trials alone: all that they suggest here is random, 0.45 on average."""
    suggested = [d for seed in seeds for d in best_is_at_seven_tenths(sampler, trials, seed)[-5:]]
    assert statistics.mean(suggested) < 0.25


@pytest.mark.parametrize("sampler", ["gp", "cmaes"])
def test_what_a_sampler_does_not_model_is_drawn_without_a_word(sampler, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("optuna"), "propagate", True)
    study = optuna.create_study()
    for number in range(samplers.START_UP + 2):
        trial = ask(study, sampler, 0)
        trial.suggest_float("x", 0.0, 1.0)
        trial.suggest_float(f"only in {number % 2}", 0.0, 1.0)
        study.tell(trial, 1.0)
    assert not caplog.records


def test_suggestions_that_learn_nothing_are_further_away():
    suggested = [d for seed in range(10) for d in best_is_at_seven_tenths("random", 10, seed)[-5:]]
    assert statistics.mean(suggested) > 0.35


def test_tpe_suggests_what_optunas_own_does(monkeypatch):
    """Some trials have a parameter more, some were stopped early, some have failed."""
    original = samplers.SAMPLERS["tpe"]

    def optunas_own(seed):
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=samplers.START_UP, multivariate=True, group=True, constant_liar=True
        )

    suggested = {}
    for name, made in (("ours", original), ("theirs", optunas_own)):
        monkeypatch.setitem(samplers.SAMPLERS, "tpe", made)
        study = optuna.create_study()
        for number in range(25):
            trial = ask(study, "tpe", 0)
            x = trial.suggest_float("x", 0.0, 1.0)
            if trial.suggest_categorical("kind", ["a", "b"]) == "b":
                x += trial.suggest_float("y", 1e-3, 1.0, log=True)
            trial.report(x, 1)
            ends = {3: TrialState.FAIL, 1: TrialState.PRUNED}
            study.tell(trial, None if number % 5 in ends else x, state=ends.get(number % 5, TrialState.COMPLETE))
        suggested[name] = [trial.params for trial in study.trials]
    assert suggested["ours"] == suggested["theirs"]
