"""A trial whose seeds train as one: the same numbers, one checkpoint, and what a divergence leaves of it."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from trainables.checkpoints import CheckpointFolder
from trainables.cohort import Cohort, make_training, pays_on
from trainables.data.cache import prepare
from trainables.data.dataset import Dataset, Split
from trainables.evaluator import Evaluator
from trainables.exploit import take_over
from trainables.measures.settings import PointsSettings
from trainables.methods.base import NonFiniteLossError
from trainables.protocol import Protocol
from trainables.repetitions import Repetitions
from trainables.stack import Stack
from trainables.training import Training
from trainables.trial_spec import TrialSpec

CPU = torch.device("cpu")
DATA, SEEDS = "line_-2_0.5", 3
PROTOCOL = Protocol(dataset=DATA, measures=(PointsSettings(num_samples=100),))
CONFIG = {
    **dict.fromkeys(("generator", "discriminator"), "mlp"),
    **{"generator_depth": 1, "discriminator_depth": 1, "latent_dim": 2, "batch_size": 16, "batch_norm": "none"},
}
DURATIONS = ("seconds_", "evaluation_share", "images_per_second", "memory_mb", "reported_ms")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    prepare(DATA, folder)
    return folder


@pytest.fixture(scope="module")
def evaluator(cache):
    return Evaluator(PROTOCOL, cache, CPU)


@pytest.fixture
def make_spec(cache, tmp_path):
    def make(name="trial", number=0, seeds=SEEDS, **config):
        return TrialSpec(
            number=number,
            method="gan",
            config={**CONFIG, **config},
            rounds=6,
            evaluate_every=2,
            seeds=seeds,
            protocol=PROTOCOL,
            objective="energy_best",
            curves=("energy_early",),
            cache_dir=str(cache),
            folder=str(tmp_path / name),
        )

    return make


def run(training):
    reports = []
    while not training.is_done:
        reports.append(dict(training.advance()))
    return reports


def one_by_one(spec, evaluator):
    return Repetitions(spec, [Training(spec.repetition(k), evaluator, CPU) for k in range(spec.seeds)])


def numbers(reports):
    """Without durations; the metrics of each seed last."""

    def kept(report):
        return {k: v for k, v in report.items() if not k.startswith(DURATIONS) and k != "per_seed"}

    return [[kept(report), *(each and kept(each) for each in report["per_seed"])] for report in reports]


def test_seeds_of_points_train_as_one_and_report_what_they_report_alone(make_spec, evaluator):
    training = make_training(make_spec("together"), evaluator, CPU)
    assert isinstance(training, Cohort)
    together, alone = run(training), run(one_by_one(make_spec("alone"), evaluator))
    for report, expected in zip(numbers(together), numbers(alone), strict=True):
        for one, other in zip(report, expected, strict=True):
            assert one == pytest.approx(other, rel=1e-3, abs=1e-4)
    last = together[-1]
    assert last["seconds_training"] == pytest.approx(sum(each["seconds_training"] for each in last["per_seed"]))
    for k in range(SEEDS):
        assert json.loads(json.dumps(last["per_seed"][k])) == last["per_seed"][k]
        for name in ("best.safetensors", "frames"):
            assert (Path(make_spec("together").folder) / f"seed-{k}" / name).exists()


def test_there_is_one_checkpoint(make_spec, evaluator):
    training = make_training(make_spec(), evaluator, CPU)
    training.advance()
    run(training)
    assert [path.parent.name for path in Path(make_spec().folder).rglob("*.pt")] == ["checkpoints"]


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("evaluations", [1, SEEDS + 2, 3 * SEEDS - 1])
def test_a_cohort_goes_on_bit_for_bit_wherever_it_was_stopped(make_spec, evaluator, evaluations):
    whole = run(make_training(make_spec("whole"), evaluator, CPU))
    done = 0

    def stopping(method, seed):
        nonlocal done
        done += 1
        if done > evaluations:
            raise Killed
        return evaluator(method, seed)

    stopping.dataset, stopping.of_new_samples = evaluator.dataset, evaluator.of_new_samples
    parts, interrupted = [], make_training(make_spec("parts"), stopping, CPU)
    with contextlib.suppress(Killed):
        while True:
            parts.append(dict(interrupted.advance()))
    restored = make_training(make_spec("parts"), evaluator, CPU)
    assert isinstance(restored, Cohort)
    assert numbers([restored.report] if parts else []) == numbers(parts[-1:])
    assert numbers(parts + run(restored)) == numbers(whole)


def diverge(training, k):
    for parameter in training.trainings[k].method.generator.parameters():
        nn.init.constant_(parameter, math.nan)


def test_a_seed_that_diverges_is_frozen_and_the_others_go_on(make_spec, evaluator):
    healthy = run(make_training(make_spec("healthy"), evaluator, CPU))
    training = make_training(make_spec("ill"), evaluator, CPU)
    first = training.advance()
    diverge(training, 1)
    second = dict(training.advance())
    assert "failure" not in second
    assert "energy" not in second  # an average of the others would flatter
    training = make_training(make_spec("ill"), evaluator, CPU)  # it is known after a resume
    assert numbers([training.report]) == numbers([second])
    last = dict(training.advance())
    assert training.is_done
    assert last["failure"].startswith("1 of 3 seeds diverged; seed-1: loss_generator became nan in round 3")
    assert last["round"] == 6
    assert last["per_seed"][1] is None
    for k in (0, 2):
        expected = numbers(healthy)[-1][1 + k]
        assert numbers([last])[0][1 + k] == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert first["per_seed"][1] is not None


def test_metrics_that_are_read_once_an_evaluation_are_the_same(make_spec, evaluator, monkeypatch):
    """Also when a seed diverges in the middle: its round is named, and the others go on."""

    def trained(name):
        training = make_training(make_spec(name), evaluator, CPU)
        reports = [training.advance()]
        diverge(training, 1)
        return numbers([*reports, *run(training)]), training.failure

    expected, failure = trained("at-once")
    monkeypatch.setattr(Stack, "defers", True)
    made, made_failure = trained("later")
    assert made_failure == failure
    assert "in round 3" in failure
    for report, other in zip(made, expected, strict=True):
        assert report[0] == pytest.approx(other[0])
        for k in (1, 3):
            assert report[k] == pytest.approx(other[k], rel=1e-3, abs=1e-4)


def test_when_all_seeds_diverge_the_trial_does(make_spec, evaluator):
    training = make_training(make_spec(), evaluator, CPU)
    for k in range(SEEDS):
        diverge(training, k)
    with pytest.raises(NonFiniteLossError, match="3 of 3 seeds diverged"):
        training.advance()


@pytest.mark.parametrize(("shape", "together"), [((2,), True), ((1, 8, 8), True), ((1, 28, 28), False)])
def test_on_a_cpu_only_small_examples_train_as_one(shape, together):
    images = np.zeros((4, *shape), np.uint8 if len(shape) == 3 else np.float32)
    dataset = Dataset("small", Split(images), Split(images), None)
    assert pays_on(dataset, CPU) == together
    assert pays_on(dataset, torch.device("meta"))


def test_a_trial_that_began_one_seed_after_the_other_goes_on_like_that(make_spec, evaluator):
    one_by_one(make_spec(), evaluator).advance()
    training = make_training(make_spec(), evaluator, CPU)
    assert not isinstance(training, Cohort)
    assert training.round == 2


def test_a_cohort_takes_over_another_one(make_spec, evaluator):
    donor, own = make_spec("donor", 0, generator_lr=1e-3), make_spec("own", 1, generator_lr=4e-3)
    donated = make_training(donor, evaluator, CPU)
    donated.advance()
    donated.advance()
    make_training(own, evaluator, CPU).advance()
    take_over(own, Path(donor.folder), 4)
    training = make_training(own, evaluator, CPU)
    assert training.round == 4
    for mine, other in zip(training.trainings, donated.trainings, strict=True):
        weights = zip(mine.method.generator.parameters(), other.method.generator.parameters(), strict=True)
        assert all(torch.equal(*pair) for pair in weights)
        assert mine.method.generator_optimizer.param_groups[0]["lr"] == 4e-3
    assert training.advance()["round"] == 6
    assert CheckpointFolder(Path(own.folder) / "checkpoints").load_newest()["failures"] == [None] * SEEDS
