from __future__ import annotations

import numpy as np
import pytest
import torch
from prdc import compute_prdc

from trainables.data.cache import open_dataset
from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.evaluator import Evaluator
from trainables.measures.fidelity import Fidelity
from trainables.measures.settings import FidelitySettings
from trainables.measures.subject import Subject
from trainables.preparation import prepare_protocol
from trainables.protocol import Protocol

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


LENET = FidelitySettings(num_samples=200, kid_subsets=3)
EFFICIENTNET = FidelitySettings(num_samples=100, kid_subsets=3, features="efficientnet")


@pytest.fixture(scope="module")
def both(cache_dir):
    beside = EFFICIENTNET.model_copy(update={"beside_another": True})
    return prepare_protocol(Protocol(dataset="digits", measures=(LENET, beside)), cache_dir)


@pytest.fixture(scope="module")
def alone(cache_dir):
    return [prepare_protocol(Protocol(dataset="digits", measures=(s,)), cache_dir) for s in (LENET, EFFICIENTNET)]


def test_two_extractors_in_one_protocol_report_what_each_reports_alone(both, alone, cache_dir):
    of_lenet, of_efficientnet = (
        Evaluator(preparation.protocol, cache_dir, CPU)(Counting(), seed=0).metrics for preparation in alone
    )
    evaluation = Evaluator(both.protocol, cache_dir, CPU)(Counting(), seed=0)
    assert evaluation.metrics.keys() == of_lenet.keys() | of_efficientnet.keys()
    assert {name: evaluation.metrics[name] for name in of_lenet} == of_lenet
    assert both.protocol.metrics().keys() == evaluation.metrics.keys()
    # The classes are the classifier's in both, of the samples of the first.
    assert "entropy_lenet" in of_efficientnet
    noise = torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    second = Fidelity(alone[1].protocol.measures[0], open_dataset("digits", cache_dir), cache_dir, CPU)
    expected = second.image_metrics(noise[:100])
    assert all(value == expected[name] for name, value in evaluation.metrics.items() if "efficientnet" in name)


def test_reference_values_of_two_extractors_stand_side_by_side(both, alone):
    of_lenet, of_efficientnet = (preparation.references for preparation in alone)
    assert both.references.keys() == of_lenet.keys() | of_efficientnet.keys()
    assert {name: both.references[name] for name in of_lenet} == of_lenet
    assert "classifier_test_accuracy" in of_lenet
    for name in ("fid_efficientnet_noise", "density_efficientnet_test_images", "entropy_efficientnet_train_images"):
        assert both.references[name] == of_efficientnet[name]


def test_families_mean_the_first_extractor_and_pictures_are_its_own(both, cache_dir, tmp_path):
    assert both.protocol.full_name("fid_best") == "fid_lenet_best"
    assert both.protocol.full_name("fid_efficientnet_at_best") == "fid_efficientnet_at_best"
    shown = [name for name, metric in both.protocol.metrics().items() if metric.shown]
    assert shown == ["fid_lenet", "is_lenet", "fid_efficientnet"]
    (_, measured), (second, of_second) = Evaluator(both.protocol, cache_dir, CPU)(Counting(), seed=0).by_measure
    second.draw(of_second, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert torch.equal(measured.seen[:100], of_second.seen)


def test_new_samples_are_made_once_for_both(both, cache_dir):
    class Chooses(Counting):
        total = 0

        def sample(self, n, rng):
            self.total += n
            return super().sample(n, rng)

        def samples_to_evaluate(self, n, rng):
            raise AssertionError("only new samples were asked for")

    method = Chooses()
    metrics = Evaluator(both.protocol, cache_dir, CPU).of_new_samples(method, seed=3)
    assert metrics.keys() == {"fid_lenet_resampled", "fid_efficientnet_resampled"}
    assert method.total == 200


def test_two_measures_of_the_same_names_are_refused(cache_dir):
    with pytest.raises(InputError, match="two measures report fid_lenet"):
        prepare_protocol(
            Protocol(dataset="digits", measures=(LENET, LENET.model_copy(update={"num_samples": 100}))), cache_dir
        )


def test_density_and_coverage_are_those_of_prdc(alone, cache_dir):
    dataset = open_dataset("digits", cache_dir)
    measure = Fidelity(alone[0].protocol.measures[0], dataset, cache_dir, CPU)
    images = to_tensor(dataset.test.examples[:150])
    expected = compute_prdc(measure.reference.features.double().numpy(), measure.extractor(images)[0], nearest_k=5)
    metrics = measure.image_metrics(images)
    np.testing.assert_allclose(metrics["density_lenet"], expected["density"], rtol=1e-6)
    np.testing.assert_allclose(metrics["coverage_lenet"], expected["coverage"], rtol=1e-6)
