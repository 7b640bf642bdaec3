"""Schedulers on a real Ray."""

from __future__ import annotations

import study  # noqa: F401  sets what Ray reads when it is imported

# isort: split
import json
import logging
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import ray
import torch
from ray.tune import Callback, CheckpointConfig, RunConfig, TuneConfig, Tuner, with_resources
from ray.tune.search import Searcher

from study.schedulers import make_scheduler, perturbed
from tests.systems.tiny import FIXED, MEASURES, RATES
from trainables.checkpoints import CheckpointFolder
from trainables.evaluator import Evaluator
from trainables.exploit import EXPLOIT
from trainables.preparation import prepare_protocol
from trainables.protocol import Protocol
from trainables.repetitions import make_training
from trainables.trial import Trial
from trainables.trial_spec import TrialSpec

pytestmark = pytest.mark.slow

METRIC = "fid_lenet_best"
RANGES = {"discriminator_lr": (1e-4, 2e-2), "image_lr": (1e-2, 0.3)}
INFINITE = {"lambda_ce": 1e38}


@pytest.fixture(scope="module")
def protocol(cache_dir):
    return prepare_protocol(Protocol(dataset="digits", measures=MEASURES), cache_dir).protocol


@pytest.fixture
def make_spec(protocol, cache_dir, tmp_path):
    def make(number, rounds, discriminator_lr=1e-3, image_lr=0.1, **config):
        rates = {"discriminator_lr": discriminator_lr, "image_lr": image_lr}
        return TrialSpec(
            number=number,
            method="discriminator_only",
            config=FIXED | {"seed": number} | rates | config,
            rounds=rounds,
            evaluate_every=2,
            protocol=protocol,
            objective=METRIC,
            cache_dir=str(cache_dir),
            folder=str(tmp_path / "trials" / f"{number:04d}"),
        )

    return make


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
    ray.init(address="local", include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
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


@pytest.mark.usefixtures("one_ray")
def test_a_population_takes_over_its_best_and_every_trial_ends_in_its_own_folder(make_spec, cache_dir, tmp_path):
    """Of the five, one fails."""
    random.seed(0)
    specs = [make_spec(i, 12, *rates) for i, rates in enumerate(RATES)]
    failing = make_spec(len(specs), 12, **INFINITE)
    scheduler = make_scheduler("pbt", METRIC, "minimize", rounds=12, evaluate_every=2, mutations=RANGES)
    heard = run(scheduler, [*specs, failing], tmp_path / "out", concurrent=5)

    assert sorted(heard.ended) == [0, 1, 2, 3, 4]
    assert "became inf" in heard.results[failing.number][-1]["failure"]
    exploited = [spec for spec in specs if (Path(spec.folder) / EXPLOIT).exists()]
    assert exploited
    for spec in specs:
        final = heard.specs[spec.number][-1]
        assert heard.results[spec.number][-1]["round"] == 12
        assert "failure" not in heard.results[spec.number][-1]
        assert {s.folder for s in heard.specs[spec.number]} == {spec.folder}
        assert final.model_copy(update={"config": spec.config}) == spec
        state = CheckpointFolder(Path(spec.folder) / "checkpoints").load_newest()
        assert state["round"] == 12
        assert state["method"]["optimizer"]["param_groups"][0]["lr"] == final.config["discriminator_lr"]
        changes = perturbed(spec, final)
        assert set(changes) <= set(RANGES)
        assert bool(changes) == (spec in exploited)
        assert all(low <= final.config[name] <= high for name, (low, high) in RANGES.items())
    evaluator = Evaluator(specs[0].protocol, cache_dir, torch.device("cpu"))
    for spec in exploited:  # a resume asks nobody else
        final = heard.specs[spec.number][-1]
        assert json.loads((Path(spec.folder) / EXPLOIT).read_text())["config"] == final.config
        assert make_training(final, evaluator, torch.device("cpu")).is_done


@pytest.mark.usefixtures("one_ray")
def test_trials_end_early_or_with_the_whole_budget_and_one_that_fails_says_why(make_spec, tmp_path):
    """Seven trials, two at a time."""
    good, poor = {"image_lr": 0.1}, {"image_lr": 0.01}
    settings = [good, good | INFINITE, good, good, poor, poor, poor]
    specs = [make_spec(number, 6, **config) for number, config in enumerate(settings)]
    scheduler = make_scheduler("asha", METRIC, "minimize", rounds=6, evaluate_every=2)
    heard = run(scheduler, specs, tmp_path / "out", concurrent=2)
    assert sorted(heard.ended) == list(range(7))
    assert all(results[-1]["done"] for results in heard.results.values())
    assert "became inf" in heard.results.pop(1)[-1]["failure"]
    assert not any("failure" in results[-1] for results in heard.results.values())
    rounds = [results[-1]["round"] for results in heard.results.values()]
    assert min(rounds) < max(rounds) == 6
