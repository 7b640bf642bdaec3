from __future__ import annotations

import math

import optuna
import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from search_spaces import SPACES
from study.searcher import FIRST_TRIAL, METRICS, OptunaSearcher, create_study, open_storage
from trainables.evaluation import Protocol
from trainables.training import TrialSpec

OBJECTIVE = "fid_lenet_best"


@pytest.fixture
def space():
    return SPACES["gradnorm"]("smoke")


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "optuna.journal"


def make_searcher(study, space, seed=0):
    def make_spec(trial):
        return TrialSpec(
            number=trial.number,
            method=space.method,
            config=space.suggest(trial),
            rounds=4,
            evaluate_every=2,
            protocol=Protocol(dataset="digits", extractor_sha256="0", num_samples=2),
            cache_dir="",
            folder="",
        )

    return OptunaSearcher(study, space, make_spec, seed)


@pytest.fixture
def study(space, journal):
    return create_study("s", open_storage(journal), space)


@pytest.fixture
def searcher(study, space):
    return make_searcher(study, space)


def finish(searcher, trial_id, value):
    searcher.on_trial_result(trial_id, {"round": 2, OBJECTIVE: value + 1})
    searcher.on_trial_result(trial_id, {"round": 4, OBJECTIVE: value})
    searcher.on_trial_complete(trial_id, {"round": 4, OBJECTIVE: value, "fid_lenet": value})


def stored(journal, name="s"):
    """The trials as another process reads them."""
    return optuna.load_study(study_name=name, storage=open_storage(journal)).trials


def test_the_first_trials_come_first(searcher, space, journal):
    specs = [searcher.suggest(f"t{i}")["spec"] for i in range(4)]
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
    searcher.suggest("b")
    searcher.on_trial_complete("b", error=True)
    first, second = stored(journal)[:2]
    assert first.state == second.state == TrialState.FAIL
    assert first.user_attrs["failure"] == "loss became nan in round 2"
    assert "process" in second.user_attrs["failure"]


def test_a_repeated_result_is_taken_once(searcher, journal):
    searcher.suggest("a")
    for _ in range(2):
        searcher.on_trial_result("a", {"round": 2, OBJECTIVE: 6.0})
    assert stored(journal)[0].intermediate_values == {2: 6.0}


def suggestions(tmp_path, space, seed, name):
    searcher = make_searcher(create_study(name, open_storage(tmp_path / name), space), space, seed)
    configs = []
    for i in range(16):
        configs.append(searcher.suggest(f"t{i}")["spec"]["config"])
        finish(searcher, f"t{i}", configs[-1]["image_lr"] + configs[-1]["discriminator_lr"])
    return configs


def test_one_trial_at_a_time_the_seed_decides_what_is_suggested(tmp_path, space):
    """Beyond the sampler's random start-up trials."""
    assert suggestions(tmp_path, space, 1, "a") == suggestions(tmp_path, space, 1, "b")
    assert suggestions(tmp_path, space, 1, "c")[3:] != suggestions(tmp_path, space, 2, "d")[3:]


def test_studies_with_neighbouring_seeds_share_no_suggestions(tmp_path, space):
    first = suggestions(tmp_path, space, 0, "a")[3:]
    second = suggestions(tmp_path, space, 1, "b")[3:]
    assert not {str(config) for config in first} & {str(config) for config in second}


def test_suggestions_do_not_repeat(tmp_path, space):
    configs = suggestions(tmp_path, space, 0, "a")
    assert len({str(config) for config in configs}) == len(configs)


def test_an_exhaustive_space_ends_with_its_first_trials(journal):
    space = SPACES["ablation"]("smoke")
    searcher = make_searcher(create_study("s", open_storage(journal), space), space)
    for i in range(7):
        assert isinstance(searcher.suggest(f"t{i}"), dict)
    assert searcher.suggest("one more") == Searcher.FINISHED
