"""A study with several objectives and one with a population, through the command line."""

from __future__ import annotations

import json

import pytest
import torch

from tests.systems.outcome import Outcome
from tests.systems.storage import of_tiny
from tests.systems.tiny import MEASURES, RATES
from trainables.checkpoints import CheckpointFolder
from trainables.cohort import make_training
from trainables.evaluator import Evaluator
from trainables.exploit import EXPLOIT
from trainables.preparation import prepare_protocol
from trainables.protocol import Protocol
from trainables.trial_spec import TrialSpec

pytestmark = pytest.mark.slow

RANGES = {"discriminator_lr": (1e-4, 2e-2), "image_lr": (1e-2, 0.3)}
"""What the space searches."""


@pytest.fixture(scope="module")
def storage(new_storage):
    return new_storage()


def test_the_pareto_front_is_printed_and_tagged(storage, launch):
    options = ("--objectives", "fid_lenet_best", "auroc_best", "--trials", "5", "--max-concurrent", "1")
    screen = launch(storage, *of_tiny(), "--name", "front", *options)
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


def test_a_population_takes_over_its_best_and_every_trial_ends_in_its_own_folder(storage, launch):
    """Of the five, one fails. MLflow's params stay what the trial began with; what is perturbed are its metrics."""
    screen = launch(storage, *of_tiny("Population"), "--name", "population", "--scheduler", "pbt")
    assert "4 finished, 1 failed" in screen
    outcome = Outcome.of(storage, "population")
    assert [list(trial.intermediate_values)[-1:] for trial in outcome.trials] == [[12], [12], [12], [12], []]
    protocol = prepare_protocol(Protocol(dataset="digits", measures=MEASURES), storage / "cache").protocol
    evaluator = Evaluator(protocol, storage / "cache", torch.device("cpu"))
    exploited = []
    for number in range(len(RATES)):
        key = f"{number:04d}"
        history, data = outcome.histories[key], outcome.runs[key][0].data
        folder = storage / "studies/population/trials" / key
        assert {data.params[name] for name in RANGES} <= {str(rate) for rates in RATES for rate in rates}
        changed = {name: outcome.metrics[key][f"perturbed_{name}"] for name in RANGES if f"perturbed_{name}" in history}
        for name, value in changed.items():
            assert {step for step, _ in history[f"perturbed_{name}"]} <= {2, 4, 6, 8, 10}
            assert float(data.tags[f"perturbed.{name}"]) == value
            assert RANGES[name][0] <= value <= RANGES[name][1]
        final = {name: changed.get(name, float(data.params[name])) for name in RANGES}
        state = CheckpointFolder(folder / "checkpoints").load_newest()
        assert state["round"] == 12
        assert state["method"]["optimizer"]["param_groups"][0]["lr"] == final["discriminator_lr"]
        assert bool(changed) == (folder / EXPLOIT).exists()
        if changed:  # a resume asks nobody else
            exploited.append(number)
            config = json.loads((folder / EXPLOIT).read_text())["config"]
            assert {name: config[name] for name in ("seed", *RANGES)} == {"seed": number, **final}
            spec = TrialSpec(
                number=number,
                method="discriminator_only",
                config=config,
                rounds=12,
                evaluate_every=2,
                protocol=protocol,
                objective="fid_lenet_best",
                cache_dir=str(storage / "cache"),
                folder=str(folder),
            )
            assert make_training(spec, evaluator, torch.device("cpu")).is_done
    assert exploited
