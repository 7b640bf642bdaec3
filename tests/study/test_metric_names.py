"""What MLflow calls metrics, and back."""

from __future__ import annotations

import pytest

from study.config import StudyConfig
from study.metric_names import allowed, in_sections, plain
from study.optuna_storage import create_study
from study.planning import make_plan
from study.trial_specs import make_spec

NAMES = {
    "fid_lenet": "fid_lenet",
    "fid_lenet_best": "fid_lenet_best",
    "is_lenet": "is_lenet",
    "auroc": "auroc",
    "auroc_best": "auroc_best",
    "auroc_at_best": "ood/auroc_at_best",
    "aupr_in_scrambled": "ood/aupr_in_scrambled",
    "fpr95_out_scrambled_best": "ood/fpr95_out_scrambled_best",
    "auroc_scrambled_low": "interval/auroc_scrambled_low",
    "fid_lenet_std": "interval/fid_lenet_std",
    "fid_lenet_at_best": "quality/fid_lenet_at_best",
    "fid_lenet_resampled": "quality/fid_lenet_resampled",
    "recall_lenet": "quality/recall_lenet",
    "copying_best": "quality/copying_best",
    "is_efficientnet": "quality/is_efficientnet",
    "loss_discriminator": "train/loss_discriminator",
    "loss_discriminator_swing_overall": "train/loss_discriminator_swing_overall",
    "movement": "train/movement",
    "inner_updates": "cost/inner_updates",
    "seconds_training": "cost/seconds_training",
}


@pytest.fixture(scope="module")
def make_spec_of():
    """Makes the spec of the first trial of `gradnorm`, for objectives."""
    from optuna.storages import InMemoryStorage

    def make(*objectives):
        plan = make_plan(StudyConfig(space="gradnorm", rounds=10, objectives=objectives or None))
        trial = create_study("s", InMemoryStorage(), plan.directions, plan.space.first_trials()).ask()
        return make_spec(plan, trial, plan.protocols)

    return make


def test_what_matters_most_is_flat_and_the_rest_is_in_sections(make_spec_of):
    assert in_sections(NAMES, make_spec_of()) == NAMES


def test_the_names_are_found_again(make_spec_of):
    assert [plain(name) for name in NAMES.values()] == list(NAMES)
    assert plain("searched/image_lr") is None
    assert plain("system/cpu_utilization_percentage") is None


@pytest.mark.parametrize("objective", ["recall_lenet_best", "duplicates"])
def test_the_objective_is_flat_whatever_it_is(make_spec_of, objective):
    names = in_sections(["recall_lenet_best", "duplicates", "fid_lenet"], make_spec_of(objective))
    assert names[objective] == objective
    assert names["fid_lenet"] == "fid_lenet"
    assert sum("/" in name for name in names.values()) == 1


def test_a_server_takes_the_names_and_they_stay_in_their_sections():
    assert allowed("ood/auroc_scrambled") == "ood/auroc_scrambled"
    assert allowed("ood/auroc_folder:/x/").startswith("ood/auroc_folder__x_-")
    assert "/" not in allowed("elsewhere/auroc")
