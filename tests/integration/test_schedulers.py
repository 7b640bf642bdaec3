"""Schedulers on a real Ray, and what a trial does when it takes over another one's checkpoint."""

from __future__ import annotations

import study  # noqa: F401  sets what Ray reads when it is imported

# isort: split
import json
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import ray
import torch
from ray.tune import Callback, CheckpointConfig, RunConfig, TuneConfig, Tuner, with_resources
from ray.tune.search import Searcher

from study.schedulers import make_scheduler, perturbed
from trainables.checkpoints import CheckpointFolder
from trainables.exploit import EXPLOIT, take_over
from trainables.measures.fidelity import Evaluator
from trainables.preparation import prepare_protocol
from trainables.training import TrialSpec, make_training
from trainables.trial import Trial

CPU = torch.device("cpu")
METRIC = "fid_lenet_best"
CONFIG = {"width": 1 / 64, "batch_size": 32, "initial_epochs": 1, "max_updates": 3, "image_lr": 0.1}
RANGES = {"discriminator_lr": (1e-4, 2e-2), "image_lr": (1e-2, 0.3)}


@pytest.fixture(scope="module")
def protocol(cache_dir):
    return prepare_protocol("digits", ("scrambled",), 64, cache_dir).protocol


@pytest.fixture(scope="module")
def evaluator(protocol, cache_dir):
    return Evaluator(protocol, cache_dir, CPU)


@pytest.fixture
def make_spec(protocol, cache_dir, tmp_path):
    def make(number, rounds=8, seeds=1, **config):
        return TrialSpec(
            number=number,
            method="discriminator_only",
            config=CONFIG | {"seed": number} | config,
            rounds=rounds,
            evaluate_every=2,
            seeds=seeds,
            protocol=protocol,
            cache_dir=str(cache_dir),
            folder=str(tmp_path / "trials" / f"{number:04d}"),
        )

    return make


# --- taking over a checkpoint -------------------------------------------------------------------


def train(spec, evaluator, rounds):
    training = make_training(spec, evaluator, CPU)
    while training.round < rounds:
        training.advance()
    return training


def newest(spec):
    return CheckpointFolder(Path(spec.folder) / "checkpoints").load_newest()


def weights(state):
    return state["method"]["discriminator"]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("own_rounds", [0, 2, 4, 6, 8])
def test_a_trial_goes_on_from_the_donors_round_weights_and_its_own_settings(make_spec, evaluator, own_rounds):
    donor, own = make_spec(0, discriminator_lr=1e-3), make_spec(1, discriminator_lr=4e-3)
    donated = train(donor, evaluator, 4).state_dict()
    before = train(own, evaluator, own_rounds).state_dict()
    take_over(own, Path(donor.folder), 4)
    training = make_training(own, evaluator, CPU)
    assert training.round == 4
    assert same(weights(training.state_dict()), weights(donated))
    assert training.method.optimizer.param_groups[0]["lr"] == 4e-3
    for moment, donors in zip(
        training.method.optimizer.state.values(), donated["method"]["optimizer"]["state"].values(), strict=True
    ):
        assert torch.equal(moment["exp_avg"], donors["exp_avg"])
    assert (training.best, training.report) == (before["best"], {})
    assert training.totals.get("images_generated", 0) == 32 * own_rounds
    assert training.advance()["round"] == 6
    assert make_training(own, evaluator, CPU).round == 6


def test_the_donor_is_left_alone(make_spec, evaluator):
    donor, own = make_spec(0), make_spec(1)
    train(donor, evaluator, 4)
    before = {path: path.read_bytes() for path in Path(donor.folder).rglob("*") if path.is_file()}
    take_over(own, Path(donor.folder), 4)
    make_training(own, evaluator, CPU).advance()
    assert {path: path.read_bytes() for path in Path(donor.folder).rglob("*") if path.is_file()} == before


def test_it_takes_the_marked_checkpoint_while_it_is_there_and_the_newest_after(make_spec, evaluator):
    donor = make_spec(0)
    train(donor, evaluator, 6)
    take_over(make_spec(1), Path(donor.folder), 4)
    assert newest(make_spec(1))["round"] == 4
    take_over(make_spec(2), Path(donor.folder), 2)  # dropped by the donor: the last two are kept
    assert newest(make_spec(2))["round"] == 6


def test_a_damaged_checkpoint_of_the_donor_is_passed_over(make_spec, evaluator):
    donor = make_spec(0)
    train(donor, evaluator, 4)
    (Path(donor.folder) / "checkpoints" / "round-00000004.pt").write_bytes(b"half")
    with pytest.warns(UserWarning, match="damaged"):
        take_over(make_spec(1), Path(donor.folder), 4)
    assert newest(make_spec(1))["round"] == 2


def test_a_donor_without_checkpoints_changes_nothing(make_spec, evaluator):
    own = make_spec(1)
    train(own, evaluator, 2)
    with pytest.warns(UserWarning, match="no whole checkpoint"):
        take_over(own, Path(make_spec(0).folder), 2)
    assert newest(own)["round"] == 2


def test_networks_that_do_not_fit_are_refused(make_spec, evaluator):
    donor, own = make_spec(0, width=1 / 16), make_spec(1)
    train(donor, evaluator, 4)
    train(own, evaluator, 2)
    with pytest.warns(UserWarning, match="do not fit"):
        take_over(own, Path(donor.folder), 4)
    assert make_training(own, evaluator, CPU).round == 2


def test_the_same_marker_again_is_a_restart_and_another_config_is_not(make_spec, evaluator):
    donor, own = make_spec(0), make_spec(1)
    train(donor, evaluator, 4)
    take_over(own, Path(donor.folder), 4)
    train(own, evaluator, 6)
    take_over(own, Path(donor.folder), 4)
    assert newest(own)["round"] == 6
    again = make_spec(1, image_lr=0.08)
    take_over(again, Path(donor.folder), 4)
    assert newest(again)["round"] == 4
    assert json.loads((Path(own.folder) / EXPLOIT).read_text())["config"]["image_lr"] == 0.08


def test_every_repetition_takes_over_its_own(make_spec, evaluator):
    donor, own = make_spec(0, seeds=2), make_spec(1, seeds=2)
    train(donor, evaluator, 4)
    train(own, evaluator, 2)
    take_over(own, Path(donor.folder), 4)
    assert make_training(own, evaluator, CPU).round == 4
    for k in range(2):
        assert same(weights(newest(own.repetition(k))), weights(newest(donor.repetition(k))))


def test_a_process_that_dies_meanwhile_leaves_the_old_state_or_the_new_one(make_spec, evaluator, monkeypatch):
    donor, own = make_spec(0), make_spec(1)
    donated = (2, weights(train(donor, evaluator, 2).state_dict()))
    mine = (6, weights(train(own, evaluator, 6).state_dict()))
    saved = Path(own.folder).with_name("saved")
    shutil.copytree(own.folder, saved)
    changes = 0

    def equals(expected):
        state = newest(own)
        return state["round"] == expected[0] and same(weights(state), expected[1])

    def dying(operation):
        def operate(*arguments, **named):
            nonlocal changes
            changes += 1
            if changes == dies_at:
                raise KeyboardInterrupt
            return operation(*arguments, **named)

        return operate

    survived = []
    for change in range(1, 8):
        dies_at, changes = change, 0
        shutil.rmtree(own.folder)
        shutil.copytree(saved, own.folder)
        with monkeypatch.context() as patched:
            for name in ("unlink", "replace"):
                patched.setattr(Path, name, dying(getattr(Path, name)))
            with pytest.raises(KeyboardInterrupt):
                take_over(own, Path(donor.folder), 2)
        survived.append(equals(mine))
        assert equals(mine) or equals(donated)
        take_over(own, Path(donor.folder), 2)  # Ray comes again
        assert equals(donated)
    assert set(survived) == {True, False}


# --- on Ray -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_cpus():
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


class Listed(Searcher):
    """Suggests the specs of a list."""

    def __init__(self, specs):
        super().__init__()
        self.specs = list(specs)
        self.ended = {}

    def suggest(self, trial_id):
        return {"spec": self.specs.pop(0).model_dump(mode="json")} if self.specs else Searcher.FINISHED

    def on_trial_complete(self, trial_id, result=None, error=False):
        self.ended[trial_id] = None if error or result is None else result


@dataclass
class Heard(Callback):
    """What a tracker would hear."""

    specs: dict[int, list[TrialSpec]] = field(default_factory=dict)
    results: dict[int, list[dict]] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)

    def on_trial_start(self, iteration, trials, trial, **info):
        spec = TrialSpec.model_validate(trial.config["spec"])
        self.specs.setdefault(spec.number, []).append(spec)

    def on_trial_result(self, iteration, trials, trial, result, **info):
        self.results.setdefault(trial.config["spec"]["number"], []).append(dict(result))

    def on_trial_complete(self, iteration, trials, trial, **info):
        self.ended.append(trial.config["spec"]["number"])


def run(scheduler, specs, folder, concurrent):
    searcher, heard = Listed(specs), Heard()
    results = Tuner(
        with_resources(Trial, {"cpu": 1}),
        tune_config=TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=len(specs),
            max_concurrent_trials=concurrent,
            reuse_actors=True,
        ),
        run_config=RunConfig(
            name="ray",
            storage_path=str(folder),
            checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
            callbacks=[heard],
            verbose=0,
        ),
    ).fit()
    assert not results.errors
    return heard


@pytest.mark.slow
@pytest.mark.usefixtures("two_cpus")
def test_a_population_takes_over_its_best_and_every_trial_ends_in_its_own_folder(make_spec, evaluator, tmp_path):
    random.seed(0)
    # The last one's images do not leave the noise, the others' do.
    rates = [(4e-3, 0.1), (5e-3, 0.12), (3e-3, 0.09), (1e-4, 0.01)]
    specs = [make_spec(i, rounds=12, discriminator_lr=d, image_lr=x) for i, (d, x) in enumerate(rates)]
    scheduler = make_scheduler("pbt", METRIC, "minimize", rounds=12, evaluate_every=2, mutations=RANGES)
    heard = run(scheduler, specs, tmp_path / "out", concurrent=4)

    assert sorted(heard.ended) == [0, 1, 2, 3]
    exploited = [spec for spec in specs if (Path(spec.folder) / EXPLOIT).exists()]
    assert exploited
    for spec in specs:
        final = heard.specs[spec.number][-1]
        assert heard.results[spec.number][-1]["round"] == 12
        assert "failure" not in heard.results[spec.number][-1]
        assert {s.folder for s in heard.specs[spec.number]} == {spec.folder}
        assert final.model_copy(update={"config": spec.config}) == spec
        state = newest(spec)
        assert state["round"] == 12
        assert state["method"]["optimizer"]["param_groups"][0]["lr"] == final.config["discriminator_lr"]
        changes = perturbed(spec, final)
        assert set(changes) <= set(RANGES)
        assert bool(changes) == (spec in exploited)
        assert all(low <= final.config[name] <= high for name, (low, high) in RANGES.items())
    for spec in exploited:  # a resume asks nobody else
        final = heard.specs[spec.number][-1]
        assert json.loads((Path(spec.folder) / EXPLOIT).read_text())["config"] == final.config
        assert make_training(final, evaluator, CPU).is_done


@pytest.mark.slow
@pytest.mark.usefixtures("two_cpus")
@pytest.mark.parametrize("name", ["asha", "hyperband", "median"])
def test_trials_end_early_or_with_the_whole_budget_and_none_waits_for_ever(make_spec, tmp_path, name):
    """Seven trials, two at a time: they would fill no bracket of a synchronous Hyperband."""
    specs = [make_spec(i, rounds=6, image_lr=0.1 if i < 4 else 0.01) for i in range(7)]
    scheduler = make_scheduler(name, METRIC, "minimize", rounds=6, evaluate_every=2)
    heard = run(scheduler, specs, tmp_path / "out", concurrent=2)
    assert sorted(heard.ended) == list(range(7))
    rounds = [results[-1]["round"] for results in heard.results.values()]
    assert 6 in rounds
    assert min(rounds) < 6 or name == "hyperband"  # whose brackets decide
    assert all(results[-1]["done"] for results in heard.results.values())


@pytest.mark.slow
@pytest.mark.usefixtures("two_cpus")
@pytest.mark.parametrize("name", ["asha", "pbt"])
def test_a_trial_that_fails_says_why_and_the_others_go_on(make_spec, tmp_path, name):
    specs = [make_spec(i, rounds=4, discriminator_lr=1e-3, lambda_ce=1e38 if i == 1 else 1e-4) for i in range(4)]
    scheduler = make_scheduler(name, METRIC, "minimize", rounds=4, evaluate_every=2, mutations=RANGES)
    heard = run(scheduler, specs, tmp_path / "out", concurrent=2 if name != "pbt" else 4)
    assert sorted(heard.ended) == [0, 1, 2, 3]
    assert "became inf" in heard.results[1][-1]["failure"]
    assert not any("failure" in results[-1] for number, results in heard.results.items() if number != 1)
