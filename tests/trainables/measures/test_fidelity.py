from __future__ import annotations

import pytest
import torch

from trainables.data.cache import open_dataset
from trainables.errors import InputError
from trainables.measures.fidelity import Fidelity
from trainables.measures.settings import FidelitySettings
from trainables.measures.subject import Subject

CPU = torch.device("cpu")


class Counting:
    """Stands for a method: noise, and how much was asked for."""

    def sample(self, n, rng):
        self.asked = n
        return torch.randn(n, 1, 8, 8, generator=rng).clamp(-1, 1)


def test_as_many_samples_as_an_epoch_has_against_as_many_real_images(cache_dir):
    settings = Fidelity.prepare(FidelitySettings(num_samples="epoch"), "digits", cache_dir).settings
    assert FidelitySettings.model_validate_json(settings.model_dump_json()).num_samples == "epoch"
    dataset = open_dataset("digits", cache_dir)
    of_epoch = Fidelity(settings, dataset, cache_dir, CPU)
    method = Counting()
    metrics = of_epoch(Subject(method, 0)).metrics
    assert method.asked == len(dataset.train) == 1437
    by_number = settings.model_copy(update={"num_samples": 1437})
    assert Fidelity(by_number, dataset, cache_dir, CPU)(Subject(method, 0)).metrics == metrics


def test_too_few_samples_are_refused():
    FidelitySettings(num_samples="epoch").check("digits")
    with pytest.raises(InputError, match="2 samples are too few"):
        FidelitySettings(num_samples=2).check("digits")
