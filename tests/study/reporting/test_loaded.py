"""`study.load`: what a notebook sees of a study."""

from __future__ import annotations

import numpy as np
import pytest
from mlflow import MlflowClient

import study
from search_spaces.ablation import Ablation
from tests.systems.report import DIVERGED, distance
from trainables.errors import InputError

OBJECTIVE = "metrics.fid_lenet_best"


def test_trials_have_their_parameters_as_numbers_and_the_state_in_which_they_ended(searched):
    trials = searched.trials()
    assert list(trials.index) == list(range(26))
    assert set(trials["state"]) == {"finished", "stopped early", "failed"}
    assert list(trials[trials["state"] == "failed"].index) == [7, 9]
    assert set(trials["failure"].dropna()) == {DIVERGED}
    assert trials["params.max_updates"].dtype == int
    finished = trials[trials["state"] == "finished"]
    for number, row in finished.iterrows():
        params = {name.removeprefix("params."): value for name, value in row.items() if name.startswith("params.")}
        assert row[OBJECTIVE] == pytest.approx(distance(params, number))
    assert (trials[trials["state"] == "stopped early"]["metrics.round"] < 6).all()
    assert trials.loc[0, "first_trial"] == "published: all"


def test_the_best_is_the_finished_trial_with_the_lowest_objective(searched):
    trials = searched.trials()
    finished = trials[trials["state"] == "finished"]
    best = searched.best()
    assert best.name == finished[OBJECTIVE].idxmin()
    assert best[OBJECTIVE] == finished[OBJECTIVE].min()


def test_curves_are_those_that_are_asked_for(searched):
    curves = searched.curves(["fid_lenet_best"])
    assert set(curves["metric"]) == {"fid_lenet_best"}
    of_first = curves[curves["trial"] == 0]
    assert of_first["round"].is_monotonic_increasing
    assert of_first["value"].iloc[-1] == searched.trials().loc[0, OBJECTIVE]


def test_samples_are_a_picture_and_a_trial_without_one_is_a_sentence(searched):
    expected = np.random.default_rng(0).integers(0, 256, (80, 80), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(searched.samples(0)), expected)
    with pytest.raises(InputError, match=r"trial 7 of study 'search' has no pictures/samples\.png"):
        searched.samples(7)
    with pytest.raises(InputError, match="has no trial 99"):
        searched.samples(99)


def test_claims_are_those_that_the_driver_judged(ablation, searched):
    claims = ablation.claims()
    assert list(claims["claim"]) == [claim.text for claim in Ablation("smoke").claims()]
    claim = claims.iloc[0]
    assert claim["claim"].startswith("The gradient norm lowers")
    # Three variants with the gradient norm, each 9 better than its partner without it; three seeds.
    assert len(claim["lower"]) == len(claim["higher"]) == 9
    assert claim["difference"] == pytest.approx(9)
    assert claim["low"] < 9 < claim["high"]
    assert (claim["verdict"], claim["after_the_fact"]) == ("supported", False)
    assert searched.claims().empty


def test_trials_of_several_protocols_are_not_ranked_together(told):
    plan = told("plane", lambda params, number: 0.1 + number, {"space": "toy_plane", "seeds": 1})
    loaded = study.load(plan.name, storage_dir=plan.storage)
    with pytest.raises(InputError, match=r"measured by 2 protocols .* may not be ranked together"):
        loaded.best()
    assert loaded.best("swiss_roll").name == 0
    assert loaded.best("eight_gaussians").name == 1
    with pytest.raises(InputError, match="no finished trial on 'digits'"):
        loaded.best("digits")


def test_a_study_of_which_nothing_has_finished(told):
    plan = told("nothing", lambda params, number: DIVERGED, {"space": "gradnorm", "trials": 2})
    loaded = study.load(plan.name, storage_dir=plan.storage)
    with pytest.raises(InputError, match="no finished trial: wait for one"):
        loaded.best()


@pytest.mark.parametrize(
    ("name", "uri", "sentence"),
    [
        ("nobody", None, "holds no study 'nobody'"),
        ("search", "http://127.0.0.1:1", "does not answer"),
        ("search", "sqlite:////nowhere/mlflow.db", "there is no MLflow file /nowhere/mlflow.db"),
    ],
)
def test_what_cannot_be_loaded_is_a_sentence(search, name, uri, sentence):
    with pytest.raises(InputError, match=sentence):
        study.load(name, tracking_uri=uri, storage_dir=search.storage)


def test_mlflow_makes_no_empty_file_where_there_is_none(tmp_path):
    with pytest.raises(InputError, match="name the folder of the studies with --storage-dir"):
        study.load("search", storage_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_study_whose_trials_were_deleted_is_loaded_without_them(told):
    plan = told("holes", distance, {"space": "gradnorm", "trials": 4})
    client = MlflowClient(plan.tracking_uri)
    client.delete_run(study.load("holes", storage_dir=plan.storage).trials().loc[1, "run_id"])
    loaded = study.load("holes", storage_dir=plan.storage)
    assert list(loaded.trials().index) == [0, 2, 3]
    assert loaded.deleted == 1
