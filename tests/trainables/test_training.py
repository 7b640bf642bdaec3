from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.evaluation import Evaluator
from trainables.methods import NonFiniteLossError
from trainables.preparation import prepare_protocol
from trainables.training import Training, TrialSpec

CPU = torch.device("cpu")
CONFIG = {"width": 1 / 64, "batch_size": 32, "initial_epochs": 1, "max_updates": 3, "seed": 4}
DURATIONS = ("seconds_", "images_per_second", "memory_mb")


@pytest.fixture(scope="module")
def preparation(cache_dir):
    return prepare_protocol("digits", ("photo_patches", "scrambled"), 64, cache_dir)


@pytest.fixture(scope="module")
def evaluator(preparation, cache_dir):
    return Evaluator(preparation.protocol, cache_dir, CPU)


@pytest.fixture
def make_spec(preparation, cache_dir, tmp_path):
    def make(name="trial", rounds=6, **config):
        return TrialSpec(
            number=0,
            method="discriminator_only",
            config=CONFIG | config,
            rounds=rounds,
            evaluate_every=2,
            protocol=preparation.protocol,
            cache_dir=str(cache_dir),
            folder=str(tmp_path / name),
        )

    return make


def run(training):
    results = []
    while not training.is_done:
        results.append(dict(training.advance()))
    return results


def without_durations(results):
    return [{k: v for k, v in result.items() if not k.startswith(DURATIONS)} for result in results]


def test_a_spec_goes_through_json(make_spec):
    spec = make_spec()
    assert TrialSpec.model_validate_json(spec.model_dump_json()) == spec


def test_it_reports_at_every_evaluation_until_the_budget_is_used(make_spec, evaluator):
    results = run(Training(make_spec(rounds=5), evaluator, CPU))
    assert [result["round"] for result in results] == [2, 4, 5]


def test_it_reports_every_metric_that_a_study_tracks(make_spec, evaluator):
    result = run(Training(make_spec(), evaluator, CPU))[-1]
    for metric in ("fid_lenet", "is_lenet", "auroc", "auroc_photo_patches", "auroc_scrambled"):
        assert np.isfinite(result[metric])
        assert np.isfinite(result[f"{metric}_best"])
    assert result["auroc"] == pytest.approx((result["auroc_photo_patches"] + result["auroc_scrambled"]) / 2)
    assert result["inner_updates"] == 6 * 3
    assert result["images_generated"] == 6 * 32
    assert result["images_per_second"] == pytest.approx(6 * 32 / result["seconds_training"])


def test_best_values_are_the_best_of_those_reported(make_spec, evaluator):
    results = run(Training(make_spec(rounds=10, discriminator_lr=1e-2), evaluator, CPU))
    for at in range(len(results)):
        seen = results[: at + 1]
        assert results[at]["fid_lenet_best"] == min(r["fid_lenet"] for r in seen)
        assert results[at]["auroc_best"] == max(r["auroc"] for r in seen)


@pytest.mark.parametrize("stop_after", [1, 2])
def test_a_restored_training_equals_an_uninterrupted_one(make_spec, evaluator, stop_after):
    whole = run(Training(make_spec("whole"), evaluator, CPU))
    first = Training(make_spec("parts"), evaluator, CPU)
    parts = [dict(first.advance()) for _ in range(stop_after)]
    parts += run(Training(make_spec("parts"), evaluator, CPU))
    assert without_durations(parts) == without_durations(whole)


def test_a_finished_training_does_nothing_when_it_is_restored(make_spec, evaluator):
    run(Training(make_spec(), evaluator, CPU))
    assert Training(make_spec(), evaluator, CPU).is_done


def test_it_leaves_pictures_of_the_best_evaluation(make_spec, evaluator, tmp_path):
    run(Training(make_spec(), evaluator, CPU))
    folder = tmp_path / "trial" / "pictures"
    assert sorted(path.name for path in folder.iterdir()) == ["nearest.png", "samples.png", "scores.png"]
    for path in folder.iterdir():
        assert np.asarray(Image.open(path).convert("L")).std() > 5  # something is on it


def test_divergence_is_an_error(make_spec, evaluator):
    with pytest.raises(NonFiniteLossError):
        Training(make_spec(lambda_ce=1e38), evaluator, CPU).advance()


def test_noise_and_test_images_are_the_ends_of_the_scale(preparation):
    assert preparation.anchors["fid_lenet_noise"] > 3 * preparation.anchors["fid_lenet_test_images"] > 0
    assert preparation.classifier_accuracy > 0.95


def test_sets_that_would_be_downloaded_are_left_out(cache_dir):
    preparation = prepare_protocol("digits", ("scrambled", "kmnist"), 64, cache_dir)
    assert preparation.protocol.ood_sets == ("scrambled",)
    assert preparation.left_out == ("kmnist",)


def test_another_protocol_has_another_hash(preparation):
    protocol = preparation.protocol
    assert protocol.sha256 == protocol.model_copy().sha256
    assert protocol.sha256 != protocol.model_copy(update={"num_samples": 65}).sha256
