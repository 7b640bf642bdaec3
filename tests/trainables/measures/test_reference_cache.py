from __future__ import annotations

import os
import warnings

import numpy as np
import pytest
import torch

from trainables.measures.reference import Reference, feature_metrics
from trainables.measures.reference_cache import ReferenceKey, cached_reference
from trainables.measures.settings import FidelitySettings

CPU = torch.device("cpu")
SETTINGS = FidelitySettings(extractor_sha256="ab" * 32, num_samples=50)
IMAGES = np.zeros((50, 1, 8, 8), dtype=np.uint8)
KEY = ReferenceKey.of(SETTINGS, "digits", IMAGES)


class Maker:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        features = np.random.default_rng(0).normal(size=(50, 12)).astype(np.float32).astype(np.float64)
        return Reference.of(features, SETTINGS, CPU)


@pytest.fixture
def make():
    return Maker()


def test_what_is_read_back_measures_the_same(tmp_path, make):
    rng = np.random.default_rng(1)
    features, probabilities = rng.normal(size=(40, 12)), rng.dirichlet(np.ones(3), size=40)
    first, second = (cached_reference(KEY, tmp_path, make, CPU) for _ in range(2))
    assert make.calls == 1
    measured = [feature_metrics(SETTINGS, reference, features, probabilities) for reference in (first, second)]
    assert measured[0] == measured[1]


@pytest.mark.parametrize(
    "changed",
    [
        {"dataset": "mnist5k"},
        {"extractor_sha256": "cd" * 32},
        {"features": "efficientnet"},
        {"neighbours": 4},
        {"ball_neighbours": 4},
        {"seed": 1},
    ],
)
def test_every_protocol_has_its_own(tmp_path, make, changed):
    changed = dict(changed)
    cached_reference(KEY, tmp_path, make, CPU)
    dataset = changed.pop("dataset", "digits")
    other = ReferenceKey.of(SETTINGS.model_copy(update=changed), dataset, IMAGES)
    cached_reference(other, tmp_path, make, CPU)
    cached_reference(KEY, tmp_path, make, CPU)
    assert make.calls == 2


def test_that_of_other_images_is_made_again_with_a_notice(tmp_path, make):
    cached_reference(KEY, tmp_path, make, CPU)
    with pytest.warns(UserWarning, match="made from other images: making the reference again"):
        cached_reference(ReferenceKey.of(SETTINGS, "digits", IMAGES + 1), tmp_path, make, CPU)
    assert make.calls == 2


def test_that_of_another_preprocessing_is_made_again(tmp_path, make):
    cached_reference(KEY, tmp_path, make, CPU)
    settings = SETTINGS.model_copy(update={"extractor_version": "at another size"})
    with pytest.warns(UserWarning, match="making the reference again"):
        cached_reference(ReferenceKey.of(settings, "digits", IMAGES), tmp_path, make, CPU)
    assert make.calls == 2


@pytest.mark.parametrize("file", ["features.npy", "mean.npy", "covariance_root.npy", "ball_radii.npy", "meta.json"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "gone"])
def test_a_damaged_one_is_made_again_with_a_notice(tmp_path, make, file, damage):
    cached_reference(KEY, tmp_path, make, CPU)
    path = tmp_path / "references" / KEY.file_name / file
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    else:
        content[len(content) // 2] ^= 255
        path.write_bytes(content[:-20] if damage == "truncated" else content)
    with pytest.warns(UserWarning, match="damaged"):
        cached_reference(KEY, tmp_path, make, CPU)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cached_reference(KEY, tmp_path, make, CPU)
    assert make.calls == 2


def test_it_appears_whole_or_not_at_all(tmp_path, make, monkeypatch):
    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        cached_reference(KEY, tmp_path, make, CPU)
    assert [path.suffix for path in (tmp_path / "references").iterdir()] == [".lock"]


def test_a_cache_that_cannot_be_written_costs_the_time_alone(tmp_path, make):
    (tmp_path / "references").write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="cannot be kept"):
        reference = cached_reference(KEY, tmp_path, make, CPU)
    assert len(reference.features) == 50
