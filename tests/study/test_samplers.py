from __future__ import annotations

import pytest

from study.config import StudyConfig
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
