"""Early stopping on a real Ray; population based training is in test_kinds_of_studies.py."""

from __future__ import annotations

import study  # noqa: F401  sets what Ray reads when it is imported

# isort: split
import logging
from dataclasses import dataclass, field

import pytest
import ray
from ray.tune import Callback, CheckpointConfig, RunConfig, TuneConfig, Tuner, with_resources
from ray.tune.search import Searcher

from study.schedulers import make_scheduler
from tests.systems.tiny import FIXED, MEASURES
from trainables.preparation import prepare_protocol
from trainables.protocol import Protocol
from trainables.trial import Trial
from trainables.trial_spec import TrialSpec

pytestmark = pytest.mark.slow

METRIC = "fid_lenet_best"
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

    results: dict[int, list[dict]] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)

    def on_trial_result(self, iteration, trials, trial, result, **info):
        self.results.setdefault(trial.config["spec"]["number"], []).append(dict(result))

    def on_trial_complete(self, iteration, trials, trial, **info):
        self.ended.append(trial.config["spec"]["number"])


def run(scheduler, specs, folder):
    searcher, heard = Listed(specs), Heard()
    ray.init(address="local", include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    results = Tuner(
        with_resources(Trial, {"cpu": 1}),
        tune_config=TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=len(specs),
            max_concurrent_trials=1,
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
def test_trials_end_early_or_with_the_whole_budget_and_one_that_fails_says_why(make_spec, tmp_path):
    """Seven trials, one after the other."""
    good, poor = {"image_lr": 0.1}, {"image_lr": 0.01}
    settings = [good, good | INFINITE, good, good, poor, poor, poor]
    specs = [make_spec(number, 6, **config) for number, config in enumerate(settings)]
    scheduler = make_scheduler("asha", METRIC, "minimize", rounds=6, evaluate_every=2)
    heard = run(scheduler, specs, tmp_path / "out")
    assert sorted(heard.ended) == list(range(7))
    assert all(results[-1]["done"] for results in heard.results.values())
    assert "became inf" in heard.results.pop(1)[-1]["failure"]
    assert not any("failure" in results[-1] for results in heard.results.values())
    rounds = [results[-1]["round"] for results in heard.results.values()]
    assert min(rounds) < max(rounds) == 6
