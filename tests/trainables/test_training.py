from __future__ import annotations

import contextlib
import math
import statistics

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.checkpoints import CheckpointFolder
from trainables.cohort import make_training
from trainables.data.tensors import to_tensor
from trainables.evaluator import Evaluator
from trainables.export import load_export, read_header
from trainables.measures.settings import FidelitySettings
from trainables.methods.base import NonFiniteLossError, sub_seed
from trainables.preparation import prepare_protocol
from trainables.repetitions import Repetitions
from trainables.training import Training
from trainables.trial_spec import TrialSpec

CPU = torch.device("cpu")
CONFIG = {"width": 1 / 64, "batch_size": 32, "initial_epochs": 1, "max_updates": 3, "seed": 4}
DURATIONS = ("seconds_", "evaluation_share", "images_per_second", "memory_mb", "reported_ms")


@pytest.fixture(autouse=True)
def _seeds_train_one_after_the_other(monkeypatch):
    """As on larger images; `test_cohort` has those that train as one."""
    monkeypatch.setattr("trainables.cohort.SMALL", 0)


@pytest.fixture(scope="module")
def preparation(cache_dir, of_images):
    return prepare_protocol(of_images("digits", ("photo_patches", "scrambled")), cache_dir)


@pytest.fixture(scope="module")
def evaluator(preparation, cache_dir):
    return Evaluator(preparation.protocol, cache_dir, CPU)


@pytest.fixture
def make_spec(preparation, cache_dir, tmp_path):
    def make(name="trial", rounds=6, seeds=1, objective="fid_lenet_best", **config):
        return TrialSpec(
            number=0,
            method="discriminator_only",
            config=CONFIG | config,
            rounds=rounds,
            evaluate_every=2,
            seeds=seeds,
            protocol=preparation.protocol,
            objective=objective,
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
    def kept(report):
        return {k: v for k, v in report.items() if not k.startswith(DURATIONS) and k != "per_seed"}

    return [[kept(result), *map(kept, result.get("per_seed", ()))] for result in results]


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
    assert result["auroc"] == result["auroc_photo_patches"]  # D was trained to reject the scrambled images
    assert result["inner_updates"] == 6 * 3
    assert result["images_generated"] == 6 * 32
    assert result["images_per_second"] == pytest.approx(6 * 32 / result["seconds_training"])


def test_the_documented_names_are_what_is_measured(evaluator):
    class Scoring:
        def sample(self, n, rng):
            return torch.rand(n, 1, 8, 8, generator=rng) * 2 - 1

        def score(self, x):
            return x.mean(dim=(1, 2, 3))

    metrics = evaluator(Scoring(), 0).metrics
    ends = {name for name in metrics if name.endswith(("_low", "_high"))}
    assert set(metrics) - ends == set(evaluator.protocol.metrics())
    assert metrics["auroc_scrambled_low"] <= metrics["auroc_scrambled"] <= metrics["auroc_scrambled_high"]
    assert len(ends) == 2 * 2 * 5


def test_baselines_that_need_no_model_stand_beside_the_score(preparation):
    references = preparation.references
    for baseline in ("intensity", "nearest", "residual", "softmax", "energy", "neighbour", "mahalanobis", "vim"):
        assert {f"auroc_{name}_{baseline}" for name in ("photo_patches", "scrambled")} < references.keys()
    assert references["auroc_photo_patches_nearest"] > 0.99
    assert references["auroc_scrambled_intensity"] == pytest.approx(0.5, abs=0.02)  # the pixels are the same


def test_the_share_of_the_evaluation_in_the_time_is_reported(make_spec, evaluator):
    result = run(Training(make_spec(), evaluator, CPU))[-1]
    spent = sum(result[name] for name in ("seconds_training", "seconds_evaluation", "seconds_saving"))
    assert result["evaluation_share"] == pytest.approx(result["seconds_evaluation"] / spent, rel=1e-9)
    assert 0 < result["evaluation_share"] < 1


def test_the_ceiling_is_what_real_images_get(preparation):
    """The training images themselves, and for what compares with them the test images."""
    references = preparation.references
    assert 8 < references["is_lenet_train_images"] <= 10
    assert references["entropy_lenet_train_images"] > 2.2
    assert "fid_lenet_train_images" not in references
    assert references["kid_lenet_noise"] > 10 * abs(references["kid_lenet_test_images"])
    assert min(references["precision_lenet_test_images"], references["recall_lenet_test_images"]) > 0.7
    assert references["copying_test_images"] == pytest.approx(0.5, abs=0.1)
    assert references["copying_noise"] < 0.1


def test_best_values_are_the_best_of_those_reported(make_spec, evaluator):
    results = run(Training(make_spec(rounds=10, discriminator_lr=1e-2), evaluator, CPU))
    for at in range(len(results)):
        seen = results[: at + 1]
        assert results[at]["fid_lenet_best"] == min(r["fid_lenet"] for r in seen)
        assert results[at]["auroc_best"] == max(r["auroc"] for r in seen)


@pytest.mark.parametrize(("objective", "pick"), [("fid_lenet", min), ("auroc", max), ("is_lenet", max)])
def test_the_objective_decides_whose_weights_are_kept(make_spec, evaluator, tmp_path, objective, pick):
    spec = make_spec(rounds=10, objective=f"{objective}_best", discriminator_lr=1e-2)
    results = run(Training(spec, evaluator, CPU))
    kept = pick(results, key=lambda result: result[objective])
    header = read_header(tmp_path / "trial" / "best.safetensors")
    assert header.round == kept["round"] == results[-1]["best_round"]
    assert (header.objective, header.metrics[objective]) == (objective, kept[objective])
    for metric in ("fid_lenet", "auroc", "is_lenet", "copying"):
        assert results[-1][f"{metric}_at_best"] == kept[metric]


def test_without_best_in_the_objective_the_latest_weights_are_kept(make_spec, evaluator, tmp_path):
    training = Training(make_spec(rounds=6, objective="auroc"), evaluator, CPU)
    while not training.is_done:
        result = training.advance()
        header = read_header(tmp_path / "trial" / "best.safetensors")
        assert (header.round, header.metrics["auroc"]) == (result["round"], result["auroc"])
        assert result["fid_lenet_at_best"] == result["fid_lenet"]


@pytest.mark.parametrize("stop_after", [1, 2])
def test_a_restored_training_equals_an_uninterrupted_one(make_spec, evaluator, stop_after):
    whole = run(Training(make_spec("whole"), evaluator, CPU))
    first = Training(make_spec("parts"), evaluator, CPU)
    parts = [dict(first.advance()) for _ in range(stop_after)]
    parts += run(Training(make_spec("parts"), evaluator, CPU))
    assert without_durations(parts) == without_durations(whole)


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_restored_training_still_knows_its_last_report(make_spec, evaluator, seeds):
    """The process may have died before anybody heard it."""
    spec = make_spec(seeds=seeds)
    assert make_training(spec, evaluator, CPU).report == {}
    reported = make_training(spec, evaluator, CPU).advance()
    restored = make_training(spec, evaluator, CPU).report
    assert restored | {"memory_mb": 0} == reported | {"memory_mb": 0}


def test_the_best_seed_is_shown_even_if_the_process_died_before(make_spec, evaluator, tmp_path):
    spec = make_spec(rounds=2, seeds=2)
    training = make_training(spec, evaluator, CPU)
    training.advance()
    shown = tmp_path / "trial" / "best.safetensors"
    content = shown.read_bytes()
    shown.unlink()
    assert make_training(spec, evaluator, CPU).is_done
    assert shown.read_bytes() == content


def test_a_finished_training_does_nothing_when_it_is_restored(make_spec, evaluator):
    run(Training(make_spec(), evaluator, CPU))
    assert Training(make_spec(), evaluator, CPU).is_done


def test_it_leaves_pictures_of_the_best_evaluation(make_spec, evaluator, tmp_path):
    run(Training(make_spec(), evaluator, CPU))
    folder = tmp_path / "trial" / "pictures"
    assert sorted(path.name for path in folder.iterdir()) == ["nearest.png", "samples.png", "scores.png"]
    for path in folder.iterdir():
        assert np.asarray(Image.open(path).convert("L")).std() > 5  # something is on it


def test_the_best_weights_are_exported_with_their_metrics(make_spec, evaluator, cache_dir, tmp_path):
    spec = make_spec(rounds=10, discriminator_lr=1e-2)
    training = Training(spec, evaluator, CPU)
    samples = {}
    results = []
    while not training.is_done:
        results.append(training.advance())
        samples[results[-1]["round"]] = training.method.sample(4, torch.Generator().manual_seed(0))
    best = min(results, key=lambda result: result["fid_lenet"])
    assert best is not results[-1]  # otherwise the last weights would pass for the best
    header = read_header(tmp_path / "trial" / "best.safetensors")
    assert (header.round, header.method, header.dataset) == (best["round"], "discriminator_only", "digits")
    assert header.metrics == {name: best[name] for name in header.metrics}
    assert "fid_lenet" in header.metrics
    assert header.config == training.config.model_dump(mode="json")
    loaded = load_export(tmp_path / "trial" / "best.safetensors", cache_dir, CPU)
    assert torch.equal(loaded.sample(4, torch.Generator().manual_seed(0)), samples[best["round"]])


def test_a_restored_training_keeps_the_best_weights_of_before(make_spec, evaluator, tmp_path):
    spec = make_spec(rounds=10, discriminator_lr=1e-2)
    values = {}
    while not values.get(10):
        result = Training(spec, evaluator, CPU).advance()
        values[result["round"]] = result["fid_lenet"]
        header = read_header(tmp_path / "trial" / "best.safetensors")
        assert header.metrics["fid_lenet"] == values[header.round] == min(values.values())
    assert header.round < 10


def test_the_kept_weights_are_measured_by_new_samples_in_the_end(make_spec, evaluator, cache_dir, tmp_path):
    results = run(Training(make_spec(rounds=10, discriminator_lr=1e-2), evaluator, CPU))
    kept = load_export(tmp_path / "trial" / "best.safetensors", cache_dir, CPU)
    samples = kept.sample(64, torch.Generator().manual_seed(sub_seed(CONFIG["seed"], "new samples")))
    expected = evaluator.measures[0].image_metrics(samples)["fid_lenet"]
    assert results[-1]["fid_lenet_resampled"] == pytest.approx(expected, rel=1e-9)
    assert results[-1]["fid_lenet_resampled"] != results[-1]["fid_lenet_best"]
    assert not any("fid_lenet_resampled" in result for result in results[:-1])


def test_a_finished_trial_keeps_one_checkpoint_without_a_pool(make_spec, evaluator, tmp_path):
    training = Training(make_spec(), evaluator, CPU)
    training.advance()
    checkpoints = CheckpointFolder(tmp_path / "trial" / "checkpoints")
    assert len(checkpoints.load_newest()["method"]["pool"]) == 2 * CONFIG["batch_size"]
    run(training)
    assert len(list(checkpoints.folder.glob("*.pt"))) == 1
    assert len(checkpoints.load_newest()["method"]["pool"]) == 0


def gan_spec(make_spec, name):
    config = {"generator_width": 1 / 16, "discriminator_width": 1 / 16, "batch_size": 16, "seed": 4}
    return make_spec(name).model_copy(update={"method": "gan", "config": config})


def test_movement_is_how_far_samples_of_the_same_latents_travel(make_spec, evaluator):
    training = Training(gan_spec(make_spec, "trial"), evaluator, CPU)
    assert "movement" not in training.advance()
    before = training.method.follow(256)
    moved = training.advance()["movement"]
    distances = (training.method.follow(256) - before).flatten(1).norm(dim=1)
    deviation = to_tensor(evaluator.dataset.test.examples).var(dim=0, correction=0).mean().sqrt()
    assert moved == pytest.approx(float(distances.mean() / deviation), rel=1e-4)


def test_a_restored_gan_reports_what_an_uninterrupted_one_does(make_spec, evaluator):
    whole = run(Training(gan_spec(make_spec, "whole"), evaluator, CPU))
    parts = [dict(Training(gan_spec(make_spec, "parts"), evaluator, CPU).advance())]
    parts += run(Training(gan_spec(make_spec, "parts"), evaluator, CPU))
    assert without_durations(parts) == without_durations(whole)


def test_a_loss_swings_over_all_rounds_too(make_spec, evaluator):
    training = Training(make_spec(), evaluator, CPU)
    losses = []
    train_round = training.method.train_round

    def recorded():
        metrics = train_round()
        losses.append(metrics["loss_hinge"])
        return metrics

    training.method.train_round = recorded
    for rounds in (2, 4, 6):
        assert training.advance()["loss_hinge_swing_overall"] == pytest.approx(np.std(losses), rel=1e-9)
        assert len(losses) == rounds


def test_one_seed_is_a_plain_training(make_spec, evaluator, tmp_path):
    training = make_training(make_spec(), evaluator, CPU)
    assert isinstance(training, Training)
    training.advance()
    assert {path.name for path in (tmp_path / "trial").iterdir()} == {
        "best.safetensors",
        "checkpoints",
        "frames",
        "pictures",
        "reported.json",
    }


def separately(make_spec, evaluator, seeds):
    """The results of the repetitions, each trained as a trial of its own."""
    specs = [make_spec(f"alone-{seed}", seed=seed) for seed in seeds]
    return list(zip(*(run(Training(spec, evaluator, CPU)) for spec in specs), strict=True))


def test_seeds_are_averaged_and_their_costs_summed(make_spec, evaluator):
    results = run(make_training(make_spec(seeds=3), evaluator, CPU))
    expected = separately(make_spec, evaluator, (4, 4 + 1_000_003, 4 + 2_000_006))
    assert [result["round"] for result in results] == [2, 4, 6]
    for result, alone in zip(results, expected, strict=True):
        assert [one["fid_lenet"] for one in result["per_seed"]] == [other["fid_lenet"] for other in alone]
        for name in ("fid_lenet", "fid_lenet_best", "auroc", "is_lenet_best", "auroc_at_best"):
            values = [other[name] for other in alone]
            assert len(set(values)) == 3
            assert result[name] == pytest.approx(statistics.mean(values), rel=1e-12)
            assert result[f"{name}_std"] == pytest.approx(statistics.stdev(values), rel=1e-9)
        assert result["gradient_norm"] == pytest.approx(statistics.mean(other["gradient_norm"] for other in alone))
        assert "gradient_norm_std" not in result
        for name in ("inner_updates", "images_generated"):
            assert result[name] == sum(other[name] for other in alone)
            assert f"{name}_std" not in result
    last = results[-1]
    assert last["images_per_second"] == pytest.approx(last["images_generated"] / last["seconds_training"])


def test_seeds_cost_the_time_of_all_of_them(make_spec, evaluator):
    training = make_training(make_spec(seeds=2), evaluator, CPU)
    result = training.advance()
    for name in ("seconds_training", "seconds_evaluation", "seconds_saving"):
        assert result[name] == pytest.approx(sum(one.report[name] for one in training.trainings))
    assert result["seconds_training"] == pytest.approx(
        sum(one.totals["seconds_training"] for one in training.trainings)
    )
    assert result["reported_ms"] == max(one.report["reported_ms"] for one in training.trainings)


def test_the_best_seed_is_shown_in_the_trials_folder(make_spec, evaluator, tmp_path):
    training = make_training(make_spec(seeds=3), evaluator, CPU)
    folder = tmp_path / "trial"
    while not training.is_done:
        training.advance()
        distances = {k: read_header(folder / f"seed-{k}/best.safetensors").metrics["fid_lenet"] for k in range(3)}
        best = folder / f"seed-{min(distances, key=distances.get)}"
        for file in ("best.safetensors", "pictures/samples.png", "pictures/nearest.png", "pictures/scores.png"):
            assert (folder / file).read_bytes() == (best / file).read_bytes()


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("evaluations", [1, 2, 3])
def test_seeds_go_on_as_if_nothing_had_happened_wherever_they_were_stopped(make_spec, evaluator, evaluations):
    """Two seeds x two evaluations; the process ends in the evaluation after the given number of them."""
    whole = run(make_training(make_spec("whole", rounds=4, seeds=2), evaluator, CPU))
    done = 0

    def stopping(method, seed):
        nonlocal done
        done += 1
        if done > evaluations:
            raise Killed
        return evaluator(method, seed)

    stopping.dataset, stopping.of_new_samples = evaluator.dataset, evaluator.of_new_samples
    interrupted = make_training(make_spec("parts", rounds=4, seeds=2), stopping, CPU)
    parts = []
    with contextlib.suppress(Killed):
        while True:
            parts.append(interrupted.advance())
    parts += run(make_training(make_spec("parts", rounds=4, seeds=2), evaluator, CPU))
    assert without_durations(parts) == without_durations(whole)


def test_a_round_that_is_trained_again_is_reported_at_its_first_time(make_spec, evaluator, tmp_path):
    """MLflow keeps a value for each time of a step: with another time, a curve would have the round twice."""
    training = Training(make_spec(), evaluator, CPU)
    first = [dict(training.advance()) for _ in range(2)]
    (newest,) = (tmp_path / "trial" / "checkpoints").glob("*4.pt")
    newest.write_bytes(b"torn")
    with pytest.warns(UserWarning, match="is damaged"):
        again = Training(make_spec(), evaluator, CPU)
    repeated = dict(again.advance())
    assert without_durations([repeated]) == without_durations(first[1:])
    assert repeated["reported_ms"] == first[1]["reported_ms"] > first[0]["reported_ms"]


def test_a_damaged_checkpoint_of_one_seed_only_costs_the_time_to_make_it_again(make_spec, evaluator, tmp_path):
    whole = run(make_training(make_spec("whole", seeds=2), evaluator, CPU))
    parts = make_training(make_spec("parts", seeds=2), evaluator, CPU)
    results = [parts.advance(), parts.advance()]
    (tmp_path / "parts/seed-1/checkpoints/round-00000004.pt").write_bytes(b"")
    with pytest.warns(UserWarning, match="damaged"):
        restored = make_training(make_spec("parts", seeds=2), evaluator, CPU)
    assert restored.round == 2
    assert without_durations([restored.advance()]) == without_durations([results[1]])
    assert without_durations(run(restored)) == without_durations(whole[2:])


def test_a_diverged_seed_is_the_trials_failure(make_spec, evaluator):
    training = make_training(make_spec(seeds=2, lambda_ce=1e38), evaluator, CPU)
    assert isinstance(training, Repetitions)
    with pytest.raises(NonFiniteLossError):
        training.advance()


def test_divergence_is_an_error(make_spec, evaluator):
    with pytest.raises(NonFiniteLossError):
        Training(make_spec(lambda_ce=1e38), evaluator, CPU).advance()


def test_metrics_that_stay_on_the_device_are_the_same_once_they_are_read(make_spec, evaluator):
    at_once, later = (Training(make_spec(name), evaluator, CPU) for name in ("at-once", "later"))
    later.method.train_round = later.method.step  # the scalars as they are, as on an accelerator
    for _ in range(2):
        assert without_durations([later.advance()]) == without_durations([at_once.advance()])


def test_divergence_that_is_read_later_names_its_round(make_spec, evaluator):
    training = Training(make_spec(), evaluator, CPU)
    training.advance()
    assert training.round == 2
    step = training.method.step

    def diverging():
        metrics = step()
        return metrics | {"loss_hinge": torch.tensor(math.nan if training.method.round == 4 else 0.0)}

    training.method.train_round = diverging
    with pytest.raises(NonFiniteLossError, match="loss_hinge became nan in round 4"):
        training.advance()


def test_training_in_bfloat16_is_evaluated_in_float32(make_spec, evaluator):
    seen = []

    def watching(method, seed):
        seen.append((torch.is_autocast_enabled("cpu"), method.score(torch.zeros(2, 1, 8, 8)).dtype))
        return evaluator(method, seed)

    watching.dataset, watching.of_new_samples = evaluator.dataset, evaluator.of_new_samples
    exact = Training(make_spec("exact"), evaluator, CPU).advance()
    rounded = Training(make_spec("rounded").model_copy(update={"precision": "bf16"}), watching, CPU).advance()
    assert seen == [(False, torch.float32)]
    assert rounded["score_real"] != exact["score_real"]
    assert rounded["score_real"] == pytest.approx(exact["score_real"], abs=0.1)


def test_noise_and_test_images_are_reference_values(preparation):
    assert preparation.references["fid_lenet_noise"] > 3 * preparation.references["fid_lenet_test_images"] > 0
    assert preparation.references["classifier_test_accuracy"] > 0.95


def test_sets_that_would_be_downloaded_are_left_out(cache_dir, of_images):
    preparation = prepare_protocol(of_images("digits", ("scrambled", "kmnist")), cache_dir)
    assert preparation.protocol.measures[2].ood_sets == ("scrambled",)
    assert "left out of AUROC, not on this machine: kmnist" in preparation.notes


def test_another_protocol_has_another_hash(preparation):
    protocol = preparation.protocol
    assert protocol.sha256 == protocol.model_copy().sha256
    first, *others = protocol.measures
    changed = (first.model_copy(update={"num_samples": 65}), *others)
    assert protocol.sha256 != protocol.model_copy(update={"measures": changed}).sha256


def test_how_to_prepare_is_not_part_of_a_protocol(of_images):
    """Where weights lie, and what may be downloaded, changes no number."""
    protocol = of_images("digits")
    elsewhere = FidelitySettings(num_samples=64, inception_weights="/elsewhere.pth", inception_sha256="ab")
    assert protocol.model_copy(update={"measures": (elsewhere, *protocol.measures[1:])}).sha256 == protocol.sha256
