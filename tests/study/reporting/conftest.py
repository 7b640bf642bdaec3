"""Studies that are in MLflow without having been trained."""

from __future__ import annotations

from dataclasses import replace

import pytest

from study.config import StudyConfig
from study.planning import make_plan
from tests.systems.report import distance, loaded
from tests.systems.storage import prepare_database
from tests.systems.written_study import tell


@pytest.fixture(scope="session")
def told(tmp_path_factory):
    """Writes a study; returns its plan."""
    storage = tmp_path_factory.mktemp("outputs")
    prepare_database(storage)

    def tell_of(name, final, options=None, **how):
        config = StudyConfig(name=name, storage_dir=storage, sampler="random", scale="smoke")
        plan = make_plan(replace(config, **(options or {})))
        tell(plan, final, **how)
        return plan

    return tell_of


@pytest.fixture(scope="session")
def search(told):
    """A search of 26 trials with early stopping: 2 have failed."""
    references = {"fid_lenet_noise": 138.8, "fid_lenet_test_images": 2.0}
    options = {"space": "gradnorm", "trials": 26, "rounds": 6}
    return told("search", distance, options, stops=True, references=references)


@pytest.fixture(scope="session")
def searched(search):
    return loaded(search)


@pytest.fixture(scope="session")
def ablation(told):
    """The seven variants with three seeds: each is 3 better than the one before, and its seeds are 2% apart."""
    plan = told("ablation", lambda params, number: 40.0 - 3 * number, {"space": "ablation", "seeds": 3})
    return loaded(plan)
