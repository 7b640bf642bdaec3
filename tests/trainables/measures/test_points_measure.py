from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.cohort import make_training
from trainables.data.cache import open_dataset, prepare
from trainables.evaluator import Evaluator
from trainables.export import load_export, read_header
from trainables.measures.points import Points
from trainables.measures.settings import FidelitySettings, PointsSettings
from trainables.measures.subject import Subject
from trainables.preparation import prepare_protocol
from trainables.protocol import Protocol
from trainables.training import Training
from trainables.trial_spec import TrialSpec

CPU = torch.device("cpu")
CONFIG = {"hidden_units": 8, "batch_size": 20, "initial_epochs": 1, "updates": 2, "seed": 4}
LINE = "line_3_0.2"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("points")
    for name in ("spiral", "eight_gaussians", LINE):
        prepare(name, folder)
    return folder


class Fixed:
    """Stands for a method whose samples are known."""

    def __init__(self, points):
        self.points = torch.tensor(points, dtype=torch.float32)

    def sample(self, n, rng):
        return self.points[:n]


class FixedWithScores(Fixed):
    """Stands for a method whose scores are known, too."""

    def __init__(self, points, logit):
        super().__init__(points)
        self.logit = logit

    def score(self, x):
        return torch.full((len(x),), self.logit)


def measure(name, cache, num_samples=500, num_compared=400):
    settings = PointsSettings(num_samples=num_samples, num_compared=num_compared)
    return Points(settings, open_dataset(name, cache), cache, CPU)


def of(points, method):
    return points(Subject(method, 0)).metrics


def test_of_real_points_every_metric_is_good(cache):
    gaussians = measure("eight_gaussians", cache)
    metrics = of(gaussians, FixedWithScores(gaussians.dataset.train.examples, 0.1))
    assert metrics["modes"] == 8
    assert metrics["inside"] > 0.97
    assert metrics["energy"] < 0.15
    assert metrics["boundary"] == 1


def test_collapse_is_seen(cache):
    gaussians = measure("eight_gaussians", cache)
    metrics = of(gaussians, FixedWithScores(np.tile([[2.0, 0.01]], (500, 1)), 3.0))
    assert metrics["modes"] == 1
    assert metrics["inside"] == 1
    assert metrics["energy"] > 0.5
    assert metrics["boundary"] == 0


def test_distances_are_in_units_of_the_datas_deviation(cache):
    """The same shape, five times as wide or narrow, is as far away: shifted by one deviation, both are alike."""
    narrow = measure(LINE, cache)
    test = np.array(narrow.dataset.test.examples)
    metrics = of(narrow, Fixed(test + 0.2))
    shift = np.random.default_rng(0).normal(size=(400, 2))
    x, y = shift[:, 0], shift[:, 1] + 1
    from scipy.stats import energy_distance

    assert metrics["energy"] == pytest.approx(energy_distance(x, y), rel=0.15)
    assert "boundary" not in metrics


def test_the_absolute_energy_is_in_the_units_of_the_line(cache):
    from scipy.stats import energy_distance

    narrow = measure(LINE, cache)
    points = narrow.test + np.float32(0.1)
    metrics = of(narrow, Fixed(points))
    expected = energy_distance(points[:400, 0], narrow.test[:400, 0])
    assert metrics["energy_absolute"] == pytest.approx(expected, rel=1e-4)
    assert metrics["energy"] == pytest.approx(expected / np.sqrt(narrow.test.std()), rel=1e-4)


def test_the_spread_is_the_ratio_of_deviations(cache):
    narrow = measure(LINE, cache)
    points = narrow.test * 0.5 + 3
    expected = points[:500].std() / narrow.test.std()
    assert of(narrow, Fixed(points))["spread"] == pytest.approx(expected, rel=1e-4)


def test_the_grid_covers_the_data_and_more(cache):
    spiral = measure("spiral", cache)
    assert spiral.grid.shape == (3600, 2)
    assert (spiral.grid.min(axis=0) < spiral.test.min(axis=0)).all()
    assert (spiral.grid.max(axis=0) > spiral.test.max(axis=0)).all()
    assert measure(LINE, cache).grid.shape == (400, 1)


@pytest.mark.parametrize("name", ["spiral", "eight_gaussians", LINE])
def test_the_documented_names_are_what_is_measured(cache, name):
    points = measure(name, cache)
    metrics = of(points, FixedWithScores(points.dataset.train.examples, 0.0))
    assert set(metrics) == set(points.settings.metrics(name))


def test_noise_and_training_points_are_reference_values(cache):
    protocol = Protocol(dataset="eight_gaussians", measures=(PointsSettings(num_samples=500),))
    preparation = prepare_protocol(protocol, cache)
    assert preparation.notes == ()
    assert preparation.references["energy_noise"] > 2 * preparation.references["energy_train_points"]


def test_the_protocol_says_which_measures_and_survives_json(cache, tmp_path):
    trial = spec(cache, tmp_path)
    assert [type(one) for one in Evaluator(trial.protocol, cache, CPU).measures] == [Points]
    assert TrialSpec.model_validate_json(trial.model_dump_json()) == trial
    protocol = Protocol(dataset="digits", measures=(FidelitySettings(num_samples=9),))
    images = TrialSpec.model_validate_json(trial.model_copy(update={"protocol": protocol}).model_dump_json())
    assert images.protocol == protocol
    assert isinstance(images.protocol.measures[0], FidelitySettings)


def spec(cache, folder, seeds=1, objective="energy_best"):
    return TrialSpec(
        number=0,
        method="discriminator_only_points",
        config=CONFIG,
        rounds=7,
        evaluate_every=3,
        evaluate_at=(1, 5, 100),
        seeds=seeds,
        protocol=Protocol(dataset="spiral", measures=(PointsSettings(num_samples=50, num_compared=40),)),
        objective=objective,
        cache_dir=str(cache),
        folder=str(folder / "trial"),
    )


def run(training):
    reports = []
    while not training.is_done:
        reports.append(dict(training.advance()))
    return reports


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_training_on_points_evaluates_first_then_regularly_and_leaves_pictures(cache, tmp_path, seeds):
    trial = spec(cache, tmp_path, seeds)
    points = Evaluator(trial.protocol, cache, CPU)
    reports = run(make_training(trial, points, CPU))
    assert [report["round"] for report in reports] == [1, 3, 5, 6, 7]
    assert reports[-1]["points_generated"] == seeds * 7 * 20
    assert all(report["energy_best"] <= report["energy"] for report in reports)
    with Image.open(tmp_path / "trial" / "pictures" / "training.gif") as animation:
        assert animation.n_frames == 5
    with Image.open(tmp_path / "trial" / "pictures" / "training.png") as sheet:
        assert sheet.size == (5 * 240, 240)


def test_a_restored_training_reports_the_same_and_the_best_is_exported(cache, tmp_path):
    points = Evaluator(spec(cache, tmp_path).protocol, cache, CPU)
    whole = run(Training(spec(cache, tmp_path / "whole"), points, CPU))
    parts = [dict(Training(spec(cache, tmp_path / "parts"), points, CPU).advance())]
    parts += run(Training(spec(cache, tmp_path / "parts"), points, CPU))
    durations = ("seconds_", "evaluation_share", "memory_mb", "reported_ms")
    for one, other in zip(whole, parts, strict=True):
        assert one.keys() == other.keys()
        assert all(one[name] == other[name] for name in one if not name.startswith(durations))
    exported = tmp_path / "whole" / "trial" / "best.safetensors"
    assert read_header(exported).metrics["energy"] == whole[-1]["energy_best"]
    assert load_export(exported, cache, CPU).sample(5, torch.Generator().manual_seed(0)).shape == (5, 2)


def test_a_loss_swings_by_its_deviation_over_the_rounds(cache, tmp_path):
    points = Evaluator(spec(cache, tmp_path).protocol, cache, CPU)
    training = Training(spec(cache, tmp_path), points, CPU)
    training.advance()
    again = Training(spec(cache, tmp_path), points, CPU)  # restored after the first round
    losses = [again.method.train_round()["loss_classifier"] for _ in range(2)]
    assert training.advance()["loss_classifier_swing"] == pytest.approx(abs(losses[0] - losses[1]) / 2)
