"""A study with several objectives and one with a population, through the command line."""

from __future__ import annotations

import pytest

from tests.systems.outcome import Outcome
from tests.systems.storage import of_tiny
from tests.systems.tiny import RATES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def storage(new_storage):
    return new_storage()


def test_the_pareto_front_is_printed_and_tagged(storage, launch):
    objectives = ("--objectives", "fid_lenet_best", "auroc_best")
    screen = launch(storage, *of_tiny(), "--name", "front", "--trials", "5", *objectives)
    outcome = Outcome.of(storage, "front")
    assert "Pareto front" in screen
    values = {trial.number: trial.values for trial in outcome.trials}
    assert all(len(both) == 2 for both in values.values())
    for number, (fid, auroc) in values.items():
        beaten = any(f <= fid and a >= auroc and (f, a) != (fid, auroc) for f, a in values.values())
        run_of_trial = outcome.runs[f"{number:04d}"][0]
        assert run_of_trial.data.tags["pareto_front"] == str(not beaten)
        # A point of the front is one set of weights: the second objective is read where the first is best.
        metrics = outcome.metrics[f"{number:04d}"]
        assert (fid, auroc) == (metrics["fid_lenet_best"], metrics["auroc_at_best"])


def test_a_population_perturbs_settings_that_mlflow_knows_as_metrics(storage, launch):
    """MLflow's params stay what the trial began with."""
    screen = launch(storage, *of_tiny("Population"), "--name", "population", "--scheduler", "pbt")
    assert "4 finished" in screen
    outcome = Outcome.of(storage, "population")
    assert all(list(trial.intermediate_values)[-1] == 12 for trial in outcome.trials)
    data = {trial: runs[0].data for trial, runs in outcome.runs.items()}
    changed = {
        (trial, name.removeprefix("perturbed_"))
        for trial, history in outcome.histories.items()
        for name in history
        if name.startswith("perturbed_")
    }
    assert changed
    for trial, name in changed:
        assert float(data[trial].params[name]) in {rate for rates in RATES for rate in rates}
        steps = [step for step, _ in outcome.histories[trial][f"perturbed_{name}"]]
        assert set(steps) <= {2, 4, 6, 8, 10}
        assert float(data[trial].tags[f"perturbed.{name}"]) == outcome.metrics[trial][f"perturbed_{name}"]
