"""A study with several objectives and one with a population, through the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from soak import Driver, Outcome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STUDY = ("--space", "gradnorm", "--scale", "smoke", "--name", "s")


def run(storage, *arguments):
    driver = Driver(storage, (*STUDY, *arguments))
    driver.start()
    assert driver.wait() == 0, driver.screen()
    return driver.screen(), Outcome.of(storage, "s")


def test_the_pareto_front_is_printed_and_tagged(tmp_path):
    screen, outcome = run(tmp_path, "--trials", "5", "--objectives", "fid_lenet_best", "auroc_best")
    assert "Pareto front" in screen
    values = {trial.number: trial.values for trial in outcome.trials}
    assert all(len(both) == 2 for both in values.values())
    for number, (fid, auroc) in values.items():
        beaten = any(f <= fid and a >= auroc and (f, a) != (fid, auroc) for f, a in values.values())
        run_of_trial = outcome.runs[f"{number:04d}"][0]
        assert run_of_trial.data.tags["pareto_front"] == str(not beaten)
        assert run_of_trial.data.metrics["auroc_best"] == auroc


def test_a_population_perturbs_settings_that_mlflow_knows_as_metrics(tmp_path):
    """MLflow's params stay what the trial began with."""
    script = tmp_path / "population.py"
    script.write_text(POPULATION)
    arguments = ("--space", "population", "--scale", "smoke", "--scheduler", "pbt", "--name", "s")
    done = subprocess.run(
        [sys.executable, str(script), *arguments, "--storage-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 finished" in done.stdout
    outcome = Outcome.of(tmp_path, "s")
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
        assert float(data[trial].params[name]) in (4e-3, 5e-3, 3e-3, 1e-4, 0.1, 0.12, 0.09, 0.01, 1.0)
        steps = [step for step, _ in outcome.histories[trial][f"perturbed_{name}"]]
        assert set(steps) <= {2, 4, 6, 8, 10}
        assert float(data[trial].tags[f"perturbed.{name}"]) == data[trial].metrics[f"perturbed_{name}"]


POPULATION = """
import sys
from dataclasses import replace
from search_spaces import SPACES
from search_spaces.gradnorm import GradNorm
from search_spaces.space import FirstTrial
from study import launch

RATES = [(4e-3, 0.1), (5e-3, 0.12), (3e-3, 0.09), (1e-4, 0.01)]


class Population(GradNorm):
    name = "population"
    scales = {"smoke": replace(GradNorm.scales["smoke"], trials=4, rounds=12)}

    def first_trials(self):
        known = super().first_trials()[2]
        return [
            FirstTrial(str(d), {**known.params, "lambda_stat": 1.0, "discriminator_lr": d, "image_lr": x})
            for d, x in RATES
        ]


SPACES["population"] = Population
sys.exit(launch.main())
"""
