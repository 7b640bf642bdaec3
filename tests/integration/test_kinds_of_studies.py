"""Studies with several objectives, a population, early stopping and limits, through the command line."""

from __future__ import annotations

import json
import re
from threading import Thread

import pytest
import torch

import study
from tests.systems.outcome import Outcome, check_complete, trials_of
from tests.systems.program import DEADLINE_SECONDS
from tests.systems.storage import hold, of_tiny, release
from tests.systems.tiny import MEASURES, RATES
from tests.systems.until import until
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


def release_after_the_first_trial(storage, name):
    try:
        until(lambda: trials_of(storage, name)[0].state.name == "COMPLETE", seconds=DEADLINE_SECONDS, every=0.2)
    finally:
        release(storage)


def test_a_study_ends_at_its_limits_and_goes_on_without_them(storage, launch, monkeypatch):
    """The first trial soon tells images apart (AUROC), the second one never does, and waits for the first one's end.

    At last a terminal shows the trials while they train.
    """
    hold(storage, trial=1, rounds=6)
    trials = ("--trials", "3", "--rounds", "12", "--scheduler", "none", "--name", "limited")
    screen = launch(storage, *of_tiny(), *trials, "--time-budget", "1s")
    assert "the time budget of 1s leaves no room for another trial. Go on" in screen
    assert {trial.state.name for trial in Outcome.of(storage, "limited").trials} == {"RUNNING"}

    waiting = Thread(target=release_after_the_first_trial, args=[storage, "limited"])
    waiting.start()
    screen = launch(storage, "--resume", "limited", "--until", "auroc=0.9")
    waiting.join()
    assert re.search(r"trial +1  paused at round \d+\n", screen)
    assert "the goal auroc=0.9 is reached (trial 0)" in screen
    outcome = Outcome.of(storage, "limited")
    assert [trial.state.name for trial in outcome.trials] == ["COMPLETE", "RUNNING"]
    statuses = {trial: outcome.status(trial) for trial in outcome.runs}
    assert statuses == {"parent": "FINISHED", "0000": "FINISHED", "0001": "KILLED"}

    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes the pipe for a terminal
    screen = launch(storage, "--resume", "limited")
    assert re.search(r"trial +\d  round \d+ of 12  (not evaluated yet|fid_lenet_best \d)", screen)
    assert re.search(r"\d of 3 trials done, ", screen)
    outcome = Outcome.of(storage, "limited")
    check_complete(outcome, 3, range(2, 13, 2))
    hours = [outcome.metrics[f"{number:04d}"]["cpu_hours"] for number in range(3)]
    assert sum(hours) == pytest.approx(outcome.metrics["parent"]["cpu_hours"])


def test_a_stopped_trial_is_revived_and_another_study_learns_from_all_of_them(storage, launch):
    launch(storage, *of_tiny("Population"), "--name", "night", "--scheduler", "asha", "--max-concurrent", "1")
    before = Outcome.of(storage, "night")
    rounds = {state: set() for state in ("COMPLETE", "PRUNED", "FAIL")}
    for trial in before.trials:
        rounds[trial.state.name].add(max(trial.intermediate_values, default=0))
    assert rounds["COMPLETE"] == {12}
    assert rounds["FAIL"] == {0}
    assert 0 < min(rounds["PRUNED"]) <= max(rounds["PRUNED"]) < 12
    statuses = {"parent": "FINISHED"} | {f"{n:04d}": "FAILED" if n == len(RATES) else "FINISHED" for n in range(5)}
    assert {trial: before.status(trial) for trial in before.runs} == statuses
    assert "became inf" in before.runs[f"{len(RATES):04d}"][0].data.tags["failure"]
    stopped = min((t for t in before.trials if t.state.name == "PRUNED"), key=lambda trial: trial.value)
    launch(storage, "--resume", "night", "--revive", "1")
    outcome = Outcome.of(storage, "night")
    (revived,) = outcome.trials[5:]
    assert (revived.state.name, revived.params) == ("COMPLETE", stopped.params)
    last = max(stopped.intermediate_values)
    assert list(revived.intermediate_values) == list(range(last, 13, 2))
    assert revived.intermediate_values[last] == stopped.value
    (run,) = outcome.runs["0005"]
    assert (run.data.tags["revived"], run.data.params["seed"]) == (f"{stopped.number:04d}", str(stopped.number))

    known = sum(trial.state.name in ("COMPLETE", "PRUNED") for trial in outcome.trials)
    options = ("--name", "day", "--after", "night", "--trials", "1", "--constraints", "memory_mb<=1")
    screen = launch(storage, *of_tiny("Population"), *options, report=True)
    assert f"after night: its {known} ended trials are known to the search" in screen
    assert f"infeasible, and not ranked: trials {known}" in screen
    after = Outcome.of(storage, "day")
    assert sorted(after.runs) == [f"{known:04d}", "parent"]
    assert after.runs[f"{known:04d}"][0].data.tags["infeasible"] == "memory_mb<=1"
    assert "best_trial" not in after.runs["parent"][0].data.tags
    report = study.load("day", storage_dir=storage)
    assert (list(report.trials()["state"]), report.rankings(), report.deleted) == (["infeasible"], [], 0)
