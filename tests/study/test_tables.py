"""The tables at the end of a study: one set of weights a row, what was published, the source of a claim."""

from __future__ import annotations

import io
import re

import optuna
import pytest
from rich.console import Console

from search_spaces.claim import Claim
from study.claims import judge
from study.config import StudyConfig
from study.optuna_storage import FIRST_TRIAL, METRICS
from study.planning import make_plan
from study.tables import (
    HEADER_WIDTH,
    claims_table,
    columns_of,
    published_table,
    references_of,
    results_table,
    settings_table,
)
from study.verdicts import Judged
from trainables.preparation import Preparation


@pytest.fixture
def plan(tmp_path):
    return lambda **settings: make_plan(
        StudyConfig(**{"space": "gradnorm", "scale": "smoke", "storage_dir": tmp_path} | settings)
    )


def shown(table):
    console = Console(file=io.StringIO(), width=400)
    console.print(table)
    return [line.strip() for line in console.file.getvalue().splitlines() if line.strip()]


def trials_of(plan, *metrics):
    """A finished trial with each of these metrics: first those that the space names, then suggested ones."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    firsts = plan.space.first_trials()
    for number, values in enumerate(metrics):
        if number < len(firsts):
            study.enqueue_trial(dict(firsts[number].params), user_attrs={FIRST_TRIAL: firsts[number].name})
        trial = study.ask()
        plan.space.suggest(trial)
        trial.set_user_attr(METRICS, values)
        study.tell(trial, 1.0)
    return study.trials


def test_a_row_has_values_of_one_set_of_weights(plan):
    made = plan(objectives=("fid_best", "auroc_best"))
    values = {"fid_lenet_best": 1.0, "fid_lenet": 2.0, "auroc_best": 0.9, "auroc_at_best": 0.8}
    values |= {"is_lenet": 3.0, "is_lenet_best": 5.0, "is_lenet_at_best": 4.0, "kid_lenet_at_best": 6.0}
    assert columns_of(made, trials_of(made, values)) == ["fid_lenet_best", "auroc_at_best", "is_lenet_at_best"]


def test_without_a_best_it_is_the_latest_evaluation(plan):
    made = plan(space="toy_plane", objectives=("energy", "boundary_best"))
    values = dict.fromkeys(("energy", "energy_best", "boundary", "boundary_at_best", "modes", "modes_best"), 1.0)
    assert columns_of(made, trials_of(made, values)) == ["energy", "boundary_at_best", "modes"]


def test_costs_are_shown_where_they_differ(plan):
    made = plan()
    first = {"fid_lenet_best": 1.0, "inner_updates": 10.0, "images_generated": 64.0, "seconds_training": 3.0}
    second = first | {"inner_updates": 20.0}
    assert columns_of(made, trials_of(made, first)) == ["fid_lenet_best"]
    assert columns_of(made, trials_of(made, first, second)) == ["fid_lenet_best", "inner_updates"]


def test_reference_values_are_rows_below_the_trials(plan):
    made = plan()
    values = {"fid_lenet_best": 31.5, "auroc_at_best": 0.8, "fid_lenet_resampled": 36.1, "kid_lenet_resampled": 1.0}
    references = {"fid_lenet_noise": 138.8, "fid_lenet_test_images": 2.0, "auroc_energy": 0.99}
    table = results_table(made, "", trials_of(made, values), references)
    names = [str(column.header).replace("\n", "") for column in table.columns]
    assert names == ["trial", "fid_lenet_best", "first trial, or reference", "fid_lenet_resampled", "auroc_at_best"]
    rows = [re.split("  +", line) for line in shown(table)[3:]]
    assert rows == [
        ["0", "31.5", "published: all", "36.1", "0.8"],
        ["138.8", "noise", "-", "-"],
        ["2", "test images", "-", "-"],
        ["-", "energy", "-", "0.99"],
    ]


def test_what_was_published_is_beside_what_the_trial_has(plan):
    made = plan(features="inception")
    first = made.space.first_trials()[0]
    assert first.published["fid_inception_best"] == 25.26
    values = {"fid_inception_best": 31.5, "initial_accuracy": 0.97}
    trials = trials_of(made, *[values] * (len(made.space.first_trials()) + 1))
    _, _, row = shown(published_table(made, [trials[0], trials[-1]]))
    assert row.startswith("0   fid_inception 25.26 (here 31.5), ")
    assert row.endswith("initial_accuracy 0.9945 (here 0.97)")
    assert published_table(made, [trials[-1]]).row_count == 0


def test_a_weight_that_the_space_leaves_out_is_off(plan):
    made = plan()
    trials = trials_of(made, {}, {})
    all_terms, gradient_norm, same = shown(settings_table(made, trials))[2:]
    assert all_terms == "0   lambda_tv 0.001, lambda_ce 0.0001"
    assert gradient_norm == "1   lambda_tv off, lambda_ce off"
    assert same.startswith("all   ")
    assert "lambda_gnorm 50" in same


def test_settings_of_a_single_trial_are_all_shown(plan):
    made = plan()
    (row,) = shown(settings_table(made, trials_of(made, {})))[2:]
    assert "lambda_gnorm 50, lambda_ce 0.0001" in row


def test_a_trial_that_names_its_data_set_shows_it(plan):
    made = plan(space="toy_line")
    row = shown(settings_table(made, trials_of(made, {})))[2]
    assert "dataset line_" in row


def test_reference_values_of_a_metric_are_not_those_of_a_longer_name(plan):
    protocol = plan().protocols["digits"]
    references = {"auroc_nearest": 0.5, "auroc_scrambled_nearest": 0.6, "fid_lenet_noise": 3.0, "kid_lenet_noise": 1.0}
    preparation = Preparation(protocol, references | {"classifier_test_accuracy": 0.9}, ())
    assert references_of(preparation, {"auroc", "fid_lenet"}) == {"auroc_nearest": 0.5, "fid_lenet_noise": 3.0}


def test_a_claim_stands_beside_its_source_and_the_number_of_its_values():
    claim = Claim("x is lower.", "[Someone 2020], table 3", "fid_lenet_best", lambda p: p["x"], lambda p: not p["x"])
    seeds = [[{"fid_lenet_best": 1.0}, {"fid_lenet_best": 1.1}], [{"fid_lenet_best": 9.0}, {"fid_lenet_best": 9.1}]]
    trials = [({"x": True}, seeds[0]), ({"x": False}, seeds[1])]
    outcome = judge(claim, trials)
    row = shown(claims_table([Judged(outcome, "undecided", "a lot", None, "abc", after_the_fact=True)]))[3]
    assert row.startswith("x is lower. (after the fact)")
    assert "[Someone 2020], table 3" in row
    assert row.count("(n=2)") == 2
    assert re.split("  +", row)[1:3] == [outcome.verdict, "undecided"]


def test_long_names_of_metrics_are_broken_between_their_parts(plan):
    values = {"fid_lenet_best": 1.0, "class_entropy_at_best": 2.0, "dimensionality_at_best": 3.0}
    table = results_table(plan(objectives=("fid_best",)), "best", trials_of(plan(), values))
    names = [column.header for column in table.columns]
    assert names[:2] == ["trial", "fid_lenet\n_best"]
    del names[2]  # of the trial
    assert all(len(line) <= HEADER_WIDTH for name in names[1:] for line in name.splitlines())
