"""What a grid derives from its values."""

from __future__ import annotations

from typing import ClassVar

import optuna
import pytest

from search_spaces.grid import GridSpace
from search_spaces.space import Scale, Suggestion

SMOKE = Scale("digits", rounds=1, evaluate_every=1, measures=())


class Six(GridSpace):
    """Two parameters; figures were published for half of the points."""

    name = "six"
    description = "six points"
    method = "gan"
    scales: ClassVar = {"smoke": SMOKE}
    grid: ClassVar = {"loss": ("l2", "hinge", "saturating"), "depth": range(2)}

    def suggestion(self, point):
        return Suggestion({"loss": point["loss"], "generator_depth": point["depth"]}, f"folder:{point['depth']}")

    def published(self, point):
        return {"fid_lenet_best": 1.0} if point["depth"] else {}


@pytest.fixture
def space():
    return Six("smoke")


def test_every_point_is_a_first_trial_and_the_last_parameter_changes_fastest(space):
    assert [first.params for first in space.first_trials()] == [
        {"loss": "l2", "depth": 0},
        {"loss": "l2", "depth": 1},
        {"loss": "hinge", "depth": 0},
        {"loss": "hinge", "depth": 1},
        {"loss": "saturating", "depth": 0},
        {"loss": "saturating", "depth": 1},
    ]
    assert space.num_trials == 6
    assert space.exhaustive


def test_a_first_trial_has_its_name_and_its_published_figures(space):
    plain, deep, *_ = space.first_trials()
    assert (plain.name, dict(plain.published)) == ("loss l2, depth 0", {})
    assert (deep.name, dict(deep.published)) == ("loss l2, depth 1", {"fid_lenet_best": 1.0})


def test_a_trial_is_the_suggestion_of_its_point(space):
    study = optuna.create_study()
    for first in space.first_trials():
        study.enqueue_trial(dict(first.params))
        trial = study.ask()
        assert space.suggest(trial) == Suggestion(
            {"loss": first.params["loss"], "generator_depth": first.params["depth"]},
            f"folder:{first.params['depth']}",
        )
        assert trial.params == first.params


def test_optunas_grid_sampler_finds_the_same_points(space):
    study = optuna.create_study(sampler=optuna.samplers.GridSampler({k: list(v) for k, v in space.grid.items()}))

    def objective(trial):
        space.suggest(trial)
        return 0.0

    study.optimize(objective)
    found = {tuple(sorted(trial.params.items())) for trial in study.trials}
    assert found == {tuple(sorted(point.items())) for point in space.points()}


def test_a_study_may_bring_its_own_scale():
    assert Six("smoke", Scale("mnist", rounds=2, evaluate_every=1, measures=(), seeds=7)).scale.seeds == 7
