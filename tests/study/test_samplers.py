from __future__ import annotations

import logging
import statistics
from itertools import pairwise

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from study import samplers
from study.config import StudyConfig
from study.optuna_storage import ask
from study.planning import make_plan
from study.samplers import check_grid, make_sampler
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

    def optunas_own(seed, num_trials):
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=samplers.START_UP, multivariate=True, group=True, constant_liar=True
        )

    suggested = {}
    for name, made in (("ours", original), ("theirs", optunas_own)):
        monkeypatch.setitem(samplers.SAMPLERS, "tpe", made)
        study = optuna.create_study()
        for number in range(30):
            trial = ask(study, "tpe", 0)
            x = trial.suggest_float("x", 0.0, 1.0)
            if trial.suggest_categorical("kind", ["a", "b"]) == "b":
                x += trial.suggest_float("y", 1e-3, 1.0, log=True)
            trial.report(x, 1)
            ends = {3: TrialState.FAIL, 1: TrialState.PRUNED}
            study.tell(trial, None if number % 5 in ends else x, state=ends.get(number % 5, TrialState.COMPLETE))
        suggested[name] = [trial.params for trial in study.trials]
    assert suggested["ours"] == suggested["theirs"]


@pytest.mark.parametrize(("num_trials", "start_up"), [(24, 8), (12, 8), (36, 12), (60, 16), (1000, 16)])
def test_a_third_of_the_trials_are_random_before_tpe_models_them(num_trials, start_up):
    study = optuna.create_study()
    values = []
    for number in range(start_up + 2):
        trial = ask(study, "tpe", 0, num_trials)
        values.append(trial.suggest_float("x", 0.0, 1.0))
        study.tell(trial, 0.0 if number == 0 else 1.0)
    drawn = []
    for number in range(start_up + 2):
        of_random = ask(optuna.create_study(), "tpe", 0, num_trials, started=number)
        drawn.append(of_random.suggest_float("x", 0.0, 1.0))
    assert [a == b for a, b in zip(values, drawn, strict=True)] == [True] * start_up + [False] * 2


def most_telling(study, trials):
    return samplers._known(study, trials).most_telling(trials)


def test_what_is_known_of_trials_that_end_in_any_order_is_what_reading_them_all_finds(monkeypatch):
    monkeypatch.setattr(samplers, "MOST_SEEN", 20)
    monkeypatch.setattr(samplers, "BEST_SEEN", 5)
    rng = np.random.default_rng(0)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    ranked = []
    rank = samplers._Known._rank
    monkeypatch.setattr(
        samplers._Known, "_rank", lambda self, trial: ranked.append((self, trial.number)) or rank(self, trial)
    )
    running = []
    for number in range(120):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        if number > 40 and rng.random() < 0.2:  # a kind that comes late, and whose first trial may end late
            trial.suggest_float("y", 0, 1)
        running.append(trial)
        while len(running) > 6:
            ended = running.pop(rng.integers(len(running)))
            value = float(rng.integers(10))  # many are equally good
            ended.report(value, 1)
            if rng.random() < 0.1:
                ended.set_constraint("c", 1.0)
            state = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL][rng.integers(3)]
            study.tell(ended, value if state == TrialState.COMPLETE else None, state=state)
        trials = study.get_trials(deepcopy=False)
        known, fresh = samplers._known(study, trials), samplers._Known(rises=False)
        fresh.update(trials)
        assert known.most_telling(trials) == fresh.most_telling(trials)
        assert known.kinds() == fresh.kinds()
    read = [number for whose, number in ranked if whose is known]
    assert len(read) == len(set(read)) > 60  # each once, however many suggestions there are


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_of_very_many_trials_tpe_sees_the_best_those_that_run_and_others_from_all_times(direction):
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.RandomSampler(seed=0))
    sign = 1 if direction == "minimize" else -1
    for number in range(3000):
        trial = study.ask()
        distance = abs(trial.suggest_float("x", -1, 1)) + trial.suggest_float("y", 0, 1)
        if number % 10 == 0:
            trial.report(sign * distance, 1)
            study.tell(trial, state=TrialState.PRUNED)
        elif number < 2990:
            study.tell(trial, sign * distance)
    trials = study.get_trials(deepcopy=False)
    seen = most_telling(study, trials)
    ended = [trial for trial in seen if trial.state.is_finished()]
    numbers = [trial.number for trial in seen]
    assert samplers.MOST_SEEN - samplers.BEST_SEEN <= len(ended) <= samplers.MOST_SEEN
    assert numbers == sorted(set(numbers))
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    best = sorted(complete, key=lambda trial: sign * trial.value)[: samplers.BEST_SEEN]
    assert {trial.number for trial in best} <= set(numbers)
    assert {t.number for t in trials if t.state == TrialState.RUNNING} <= set(numbers)
    assert min(numbers) == 0
    apart = len(trials) / (samplers.MOST_SEEN - samplers.BEST_SEEN)
    assert all(b - a <= apart + 1 for a, b in pairwise(numbers))
    assert most_telling(optuna.create_study(), trials[: samplers.MOST_SEEN]) == trials[: samplers.MOST_SEEN]


def test_with_thousands_of_trials_tpe_still_finds_the_minimum():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.add_trials(
        create_trial(value=abs(x - 0.3), params={"x": x}, distributions={"x": FloatDistribution(0, 1)})
        for x in np.random.default_rng(0).random(3000)
    )
    found = []
    for number in range(10):
        study.sampler = make_sampler("tpe", 0, 3000 + number, 0)
        trial = study.ask()
        found.append(trial.suggest_float("x", 0, 1))
        study.tell(trial, abs(found[-1] - 0.3))
    assert np.median(np.abs(np.array(found) - 0.3)) < 0.01  # of random numbers, 0.25; with all 3,000 trials, 0.002


def test_a_trial_that_breaks_a_constraint_is_none_of_the_best(monkeypatch):
    monkeypatch.setattr(samplers, "MOST_SEEN", 20)
    monkeypatch.setattr(samplers, "BEST_SEEN", 5)
    distributions = {"x": FloatDistribution(0, 1)}
    trials = [
        create_trial(
            value=number / 100, params={"x": number / 100}, distributions=distributions, constraints={"c": 50 - number}
        )
        for number in range(100)
    ]
    study = optuna.create_study()
    study.add_trials(trials)
    seen = {trial.number for trial in most_telling(study, study.get_trials())}
    assert {50, 51, 52, 53, 54} <= seen
    assert len(seen) <= 20
