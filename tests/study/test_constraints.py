"""Constraints: how they are said, which trials they mark, and what the samplers make of that."""

from __future__ import annotations

import math

import optuna
import pytest

from study.config import StudyConfig
from study.constraints import broken, violations
from study.optuna_storage import create_study, ranked
from study.planning import make_plan
from study.searcher import OptunaSearcher
from study.trial_specs import make_spec


@pytest.fixture
def plan(tmp_path):
    config = StudyConfig(space="gradnorm", scale="smoke", storage_dir=tmp_path)
    return lambda *constraints: make_plan(StudyConfig(**{**vars(config), "constraints": constraints}))


def test_what_the_measures_find_is_of_the_weights_that_are_ranked(plan):
    made = plan("copying<=0.6", "memory_mb <= 4000", "is_lenet>=2.5").constraints
    assert [each.metric for each in made] == ["copying_at_best", "memory_mb", "is_lenet_at_best"]
    metrics = {"copying_at_best": 0.5, "copying": 0.9, "memory_mb": 4100.0, "is_lenet_at_best": 2.0}
    expected = {"copying<=0.6": pytest.approx(-0.1), "memory_mb<=4000": 100.0, "is_lenet>=2.5": 0.5}
    assert violations(made, metrics) == expected
    assert broken(made, metrics) == ["memory_mb<=4000", "is_lenet>=2.5"]
    assert broken(made, {**metrics, "memory_mb": 4000.0, "is_lenet_at_best": 2.5}) == []


def test_a_scale_has_constraints_of_its_own_on_its_own_data(tmp_path):
    def texts(**options):
        return [
            each.text for each in make_plan(StudyConfig(space="gradnorm", storage_dir=tmp_path, **options)).constraints
        ]

    assert texts() == ["auroc_photo_patches>=0.97", "auroc_fashion_mnist>=0.97"]
    assert texts(constraints=("copying<=0.6",)) == ["copying<=0.6"]
    assert texts(constraints=()) == texts(dataset="digits") == texts(ood_sets=("scrambled",)) == []


def test_what_is_not_measured_is_not_feasible(plan):
    made = plan("copying<=0.6").constraints
    assert broken(made, {}) == broken(made, {"copying_at_best": math.nan}) == ["copying<=0.6"]


@pytest.mark.parametrize("sampler", ["tpe", "gp", "nsga2", "cmaes", "random"])
def test_infeasible_trials_are_not_ranked_and_samplers_that_can_avoid_them(plan, sampler):
    """The best values are beyond the bound: small image rates take much memory."""
    made = plan("memory_mb<=4000")
    study = create_study("s", optuna.storages.InMemoryStorage(), made.directions, [])
    searcher = OptunaSearcher(
        study,
        made.objectives,
        lambda trial: make_spec(made, trial, made.protocols),
        16,
        sampler,
        constraints=made.constraints,
    )
    rates = []
    for number in range(16):
        spec = searcher.suggest(str(number))["spec"]
        rate = math.log10(spec["config"]["image_lr"])
        rates.append(rate)
        result = {"round": spec["rounds"], "fid_lenet_best": rate, "memory_mb": 4000 - 1000 * (rate + 1)}
        searcher.on_trial_complete(str(number), result)
    feasible = [rate >= -1 for rate in rates]
    best = ranked(study)
    assert {trial.number for trial in best} == {number for number, kept in enumerate(feasible) if kept}
    assert min(trial.value for trial in study.trials) < -1 < best[0].value
    assert study.best_trial.number == best[0].number  # as Optuna's dashboard shows it
    if sampler == "tpe":
        assert sum(feasible[6:]) >= 4, feasible  # a third of all settings are
    if sampler == "gp":  # the best is at the bound, and it tries both sides of it
        assert rates[-5:] == pytest.approx([-1.0] * 5, abs=0.15)
