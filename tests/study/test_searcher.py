from __future__ import annotations

import math

import optuna
import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from search_spaces.ablation import Ablation
from search_spaces.gradnorm import GradNorm
from study.limiter import Limiter
from study.limits import Limits
from study.nodes.capacity import Resources
from study.optuna_storage import FIRST_TRIAL, METRICS, create_study, open_storage
from study.samplers import MOST_START_UP
from study.searcher import LOST, MAX_RESTARTS, OptunaSearcher
from study.spending import Spending
from trainables.protocol import Protocol
from trainables.trial_spec import TrialSpec

OBJECTIVE = "fid_lenet_best"


@pytest.fixture
def space():
    return GradNorm("smoke")


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "optuna.journal"


def make_searcher(study, space, seed=0, num_trials=100, objectives=(OBJECTIVE,), sampler="tpe", **options):
    def make_spec(trial):
        return TrialSpec(
            number=trial.number,
            method=space.method,
            config=dict(space.suggest(trial).config),
            rounds=4,
            evaluate_every=2,
            protocol=Protocol(dataset="digits", measures=()),
            objective=OBJECTIVE,
            cache_dir="",
            folder="",
        )

    return OptunaSearcher(study, objectives, make_spec, num_trials, sampler, seed, **options)


@pytest.fixture
def study(space, journal):
    return create_study("s", open_storage(journal), ("minimize",), space.first_trials())


@pytest.fixture
def searcher(study, space):
    return make_searcher(study, space)


def finish(searcher, trial_id, value):
    """As Ray does: the last result comes with the end alone."""
    searcher.on_trial_result(trial_id, {"round": 2, OBJECTIVE: value + 1})
    searcher.on_trial_complete(trial_id, {"round": 4, OBJECTIVE: value, "fid_lenet": value})


def stored(journal, name="s"):
    """The trials as another process reads them."""
    return optuna.load_study(study_name=name, storage=open_storage(journal)).trials


def test_the_first_trials_come_first(searcher, space, journal):
    specs = [searcher.suggest(f"t{i}")["spec"] for i in range(5)]
    for spec, first in zip(specs, space.first_trials(), strict=False):
        assert spec["config"]["image_lr"] == first.params["image_lr"]
    names = [trial.user_attrs.get(FIRST_TRIAL) for trial in stored(journal)]
    assert names == [first.name for first in space.first_trials()] + [None]


def test_a_finished_trial_is_complete_with_every_step(searcher, journal):
    searcher.suggest("a")
    finish(searcher, "a", 5.0)
    trial = stored(journal)[0]
    assert trial.state == TrialState.COMPLETE
    assert trial.value == 5.0
    assert trial.intermediate_values == {2: 6.0, 4: 5.0}
    assert trial.user_attrs[METRICS]["fid_lenet"] == 5.0


def test_the_metrics_of_each_seed_are_kept(searcher, journal):
    searcher.suggest("a")
    seeds = [{OBJECTIVE: 4.0, "reported_ms": 7}, {OBJECTIVE: 6.0, "kid_lenet": math.nan}]
    searcher.on_trial_complete("a", {"round": 4, OBJECTIVE: 5.0, "per_seed": seeds})
    trial = stored(journal)[0]
    assert trial.user_attrs["per_seed"] == [{OBJECTIVE: 4.0}, {OBJECTIVE: 6.0}]
    assert trial.user_attrs[METRICS] == {"round": 4.0, OBJECTIVE: 5.0}


def test_a_trial_with_a_diverged_seed_fails_and_keeps_the_others(searcher, journal):
    searcher.suggest("a")
    result = {"round": 4, "failure": "1 of 2 seeds diverged", "per_seed": [{OBJECTIVE: 4.0}, None]}
    searcher.on_trial_result("a", {"round": 2, "per_seed": [{OBJECTIVE: 5.0}, None]})
    searcher.on_trial_complete("a", result)
    trial = stored(journal)[0]
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["failure"] == "1 of 2 seeds diverged"
    assert trial.user_attrs["per_seed"] == [{OBJECTIVE: 4.0}, None]


def test_a_trial_stopped_early_is_pruned_with_its_last_value(searcher, journal):
    searcher.suggest("a")
    result = {"round": 2, OBJECTIVE: 7.0}
    searcher.on_trial_result("a", result)
    searcher.on_trial_complete("a", result)
    trial = stored(journal)[0]
    assert trial.state == TrialState.PRUNED
    assert trial.value == 7.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_a_result_that_is_no_number_is_a_failure_with_the_reason(searcher, journal, value):
    searcher.suggest("a")
    result = {"round": 4, OBJECTIVE: value}
    searcher.on_trial_result("a", result)
    searcher.on_trial_complete("a", result)
    trial = stored(journal)[0]
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["failure"] == f"{OBJECTIVE} is {value}"


def test_a_failed_trial_keeps_its_reason(searcher, journal):
    searcher.suggest("a")
    searcher.on_trial_complete("a", {"round": 2, "failure": "loss became nan in round 2"})
    trial = stored(journal)[0]
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["failure"] == "loss became nan in round 2"


def test_a_lost_trial_is_handed_out_again_and_fails_when_it_is_lost_too_often(searcher, journal):
    config = searcher.suggest("a0")
    for attempt in range(MAX_RESTARTS):
        searcher.on_trial_complete(f"a{attempt}", error=True)
        assert searcher.goes_on(0)
        assert stored(journal)[0].state == TrialState.RUNNING
        assert searcher.suggest(f"a{attempt + 1}") == config
        assert not searcher.goes_on(0)
    searcher.on_trial_complete(f"a{MAX_RESTARTS}", error=True)
    trial = stored(journal)[0]
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs[LOST] == MAX_RESTARTS + 1
    assert "process" in trial.user_attrs["failure"]


def test_a_trial_that_gets_further_between_its_losses_goes_on(searcher, journal):
    """A week on machines that may be taken away any hour."""
    searcher.suggest("a0")
    for attempt in range(3 * MAX_RESTARTS):
        searcher.on_trial_result(f"a{attempt}", {"round": attempt + 1, OBJECTIVE: 1.0})
        searcher.on_trial_complete(f"a{attempt}", error=True)
        assert searcher.goes_on(0)
        searcher.suggest(f"a{attempt + 1}")
    for attempt in range(3 * MAX_RESTARTS, 4 * MAX_RESTARTS):  # and not any more
        searcher.on_trial_complete(f"a{attempt}", error=True)
        searcher.suggest(f"a{attempt + 1}")
    assert stored(journal)[0].state == TrialState.FAIL


def test_it_waits_for_running_trials_that_may_be_lost_and_then_finishes(study, space):
    searcher = make_searcher(study, space, num_trials=2)
    first = searcher.suggest("a")
    searcher.suggest("b")
    assert searcher.suggest("c") is None
    searcher.on_trial_complete("a", error=True)
    assert searcher.suggest("c") == first
    finish(searcher, "b", 1.0)
    finish(searcher, "c", 1.0)
    assert searcher.suggest("d") == Searcher.FINISHED


def test_nothing_is_suggested_ahead_of_what_the_cluster_fits_now(study, space):
    room = [1]
    searcher = make_searcher(study, space, capacity=lambda: room[0])
    assert isinstance(searcher.suggest("a"), dict)
    assert searcher.suggest("b") is None
    room[0] = 3  # a node has joined
    assert isinstance(searcher.suggest("b"), dict)
    assert isinstance(searcher.suggest("c"), dict)
    room[0] = 2  # one has left, with trial b
    lost = searcher._specs["b"].number
    searcher.on_trial_complete("b", error=True)
    assert searcher.suggest("b again") is None
    finish(searcher, "c", 1.0)
    assert searcher.suggest("b again")["spec"]["number"] == lost
    assert searcher.running() == {0, 1}


def test_after_the_driver_was_killed_the_running_trials_come_first(space, journal, study):
    searcher = make_searcher(study, space)
    searcher.suggest("a")
    running = [searcher.suggest(name) for name in "bcde"]  # the last of them beyond the first trials
    finish(searcher, "a", 1.0)
    again = make_searcher(optuna.load_study(study_name="s", storage=open_storage(journal)), space)
    assert [again.suggest(f"again {name}") for name in "bcde"] == running
    assert again.suggest("new")["spec"]["number"] == 5


def test_a_trial_that_was_lost_while_it_was_suggested_gets_what_it_would_have_got(tmp_path, space):
    """The driver is killed between Optuna's ask and the first parameter."""

    def after_four(name):
        study = create_study(name, open_storage(tmp_path / name), ("minimize",), space.first_trials())
        searcher = make_searcher(study, space)
        for i in range(4):
            searcher.suggest(f"t{i}")
            finish(searcher, f"t{i}", float(i))
        return study, searcher

    _, whole = after_four("whole")
    killed, _ = after_four("killed")
    killed.ask()
    assert make_searcher(killed, space).suggest("again") == whole.suggest("t4")


def test_when_the_driver_stops_nothing_is_told(searcher, journal):
    searcher.suggest("a")
    searcher.close()
    searcher.on_trial_complete("a", {"round": 2, OBJECTIVE: 1.0})
    assert stored(journal)[0].state == TrialState.RUNNING
    assert searcher.suggest("b") == Searcher.FINISHED


def test_several_objectives_are_told_together_and_a_missing_one_is_a_failure(space, journal):
    objectives = ("fid_lenet", "auroc")
    study = create_study("s", open_storage(journal), ("minimize", "maximize"), space.first_trials())
    searcher = make_searcher(study, space, objectives=objectives)
    for name, result in {
        "a": {"fid_lenet": 5.0, "auroc": 0.9},
        "b": {"fid_lenet": 6.0, "auroc": 0.8},
        "c": {"fid_lenet": 4.0},
        "d": {"fid_lenet": 7.0, "auroc": math.nan},
    }.items():
        searcher.suggest(name)
        searcher.on_trial_result(name, {"round": 2, **result})
        searcher.on_trial_complete(name, {"round": 4, **result})
    trials = stored(journal)
    assert [trial.state.name for trial in trials[:4]] == ["COMPLETE", "COMPLETE", "FAIL", "FAIL"]
    assert [trial.number for trial in study.best_trials] == [0]
    assert trials[2].user_attrs["failure"] == "auroc is None"


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes", "random", "qmc", "nsga2", "nsga3"])
def test_every_sampler_suggests_beyond_the_first_trials(tmp_path, space, sampler):
    study = create_study("s", open_storage(tmp_path / "j"), ("minimize",), space.first_trials())
    searcher = make_searcher(study, space, sampler=sampler)
    configs = []
    for i in range(10):
        configs.append(searcher.suggest(f"t{i}")["spec"]["config"])
        finish(searcher, f"t{i}", configs[-1]["image_lr"])
    assert len({str(config) for config in configs}) == 10


def test_a_repeated_result_is_taken_once(searcher, journal):
    searcher.suggest("a")
    for _ in range(2):
        searcher.on_trial_result("a", {"round": 2, OBJECTIVE: 6.0})
    assert stored(journal)[0].intermediate_values == {2: 6.0}


def suggestions(tmp_path, space, seed, name):
    study = create_study(name, open_storage(tmp_path / name), ("minimize",), space.first_trials())
    searcher = make_searcher(study, space, seed)
    configs = []
    for i in range(MOST_START_UP + 6):
        configs.append(searcher.suggest(f"t{i}")["spec"]["config"])
        finish(searcher, f"t{i}", configs[-1]["image_lr"] + configs[-1]["discriminator_lr"])
    return configs


def test_one_trial_at_a_time_the_seed_decides_what_is_suggested(tmp_path, space):
    """Beyond the sampler's random start-up trials."""
    assert suggestions(tmp_path, space, 1, "a") == suggestions(tmp_path, space, 1, "b")
    assert suggestions(tmp_path, space, 1, "c")[4:] != suggestions(tmp_path, space, 2, "d")[4:]


def test_studies_with_neighbouring_seeds_share_no_suggestions(tmp_path, space):
    first = suggestions(tmp_path, space, 0, "a")[4:]
    second = suggestions(tmp_path, space, 1, "b")[4:]
    assert not {str(config) for config in first} & {str(config) for config in second}


def test_suggestions_do_not_repeat(tmp_path, space):
    configs = suggestions(tmp_path, space, 0, "a")
    assert len({str(config) for config in configs}) == len(configs)


def test_a_trial_does_not_go_through_all_others_again_and_again(study, searcher, monkeypatch):
    """Once for a trial that waits, once for TPE. A study of thousands of trials pays for more, at each trial."""
    for number in range(20):
        searcher.suggest(f"t{number}")
        finish(searcher, f"t{number}", float(number))
    read = []
    get_all_trials = study._storage.get_all_trials
    monkeypatch.setattr(study._storage, "get_all_trials", lambda *a, **k: read.append(a) or get_all_trials(*a, **k))
    spending = Spending(study, Resources(1, 0))
    limiter = Limiter(Limits(None, None, None), study, spending, rounds=4, gpus=0)
    read.clear()
    searcher._limiter = limiter
    assert searcher.suggest("a")["spec"]["number"] == 20
    finish(searcher, "a", 1.0)
    assert set(spending.of_trial(20)) == {"cpu_hours"}
    assert len(read) == 2


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_what_is_suggested_follows_from_the_trials_that_were_started_and_not_from_who_counts_them(
    tmp_path, space, sampler
):
    """A new searcher counts them in the storage, as after each kill of a driver; another one goes on counting."""
    suggested = []
    for is_killed in (False, True):
        study = create_study("s", open_storage(tmp_path / f"{is_killed}.journal"), ("minimize",), space.first_trials())
        searcher = make_searcher(study, space, sampler=sampler)
        for number in range(14):
            searcher.suggest(f"t{number}")
            if number % 4 == 3:
                searcher.on_trial_complete(f"t{number}", error=True)  # it is lost, and comes again
                searcher.suggest(f"t{number}")
            finish(searcher, f"t{number}", float(number % 5))
            searcher = make_searcher(study, space, sampler=sampler) if is_killed else searcher
        suggested.append([trial.params for trial in study.trials])
    assert suggested[0] == suggested[1]


def test_an_exhaustive_space_ends_with_its_first_trials(journal):
    space = Ablation("smoke")
    study = create_study("s", open_storage(journal), ("minimize",), space.first_trials())
    searcher = make_searcher(study, space, num_trials=len(space.first_trials()))
    for i in range(7):
        assert isinstance(searcher.suggest(f"t{i}"), dict)
        finish(searcher, f"t{i}", 1.0)
    assert searcher.suggest("one more") == Searcher.FINISHED
