"""DUQ and deep ensembles: what they refuse, which rate they have when, and what their members are."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

from trainables.data.cache import prepare
from trainables.data.scramble import scramble_strips
from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.measures.settings import FidelitySettings
from trainables.methods.duq import Duq, DuqConfig
from trainables.methods.ensemble import Ensemble, EnsembleConfig
from trainables.metrics.ood import auroc
from trainables.preparation import check_abilities
from trainables.protocol import Protocol
from trainables.testing.data import tiny_points

CPU = torch.device("cpu")


def made(method, dataset, **settings):
    return method(method.Config.tiny(**settings), dataset, CPU)


@pytest.mark.parametrize("method", [Duq, Ensemble])
def test_points_are_refused_with_a_sentence(method):
    with pytest.raises(InputError, match="at least 4x4 pixels"):
        made(method, tiny_points())


@pytest.mark.parametrize("name", ["duq", "ensemble"])
def test_a_measure_of_samples_is_refused_with_a_sentence(name):
    protocol = Protocol(dataset="digits", measures=(FidelitySettings(num_samples=64),))
    with pytest.raises(InputError, match=f"needs a method that samples, and '{name}' does not"):
        check_abilities(name, protocol)


@pytest.mark.parametrize(("method", "factor"), [(Duq, 0.2), (Ensemble, 0.1)])
def test_the_rate_falls_after_the_epochs(method, factor, tiny_dataset):
    """60 images in batches of 16: the second epoch begins in round 5, the third in round 9."""
    trained = made(method, tiny_dataset, falls_after=(1, 2), lr=0.1)
    rates = []
    for _ in range(10):
        trained.train_round()
        rates.append(trained.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.1] * 4 + [0.1 * factor] * 4 + [0.1 * factor**2] * 2)


def test_the_defaults_are_the_published_settings():
    duq, ensemble = DuqConfig(), EnsembleConfig()
    for config in (duq, ensemble):
        assert (config.lr, config.momentum, config.batch_size, config.falls_after) == (0.05, 0.9, 128, (10, 20))
    assert (duq.length_scale, duq.centroid_decay, duq.weight_decay) == (0.1, 0.999, 1e-4)
    assert (ensemble.members, ensemble.weight_decay) == (5, 5e-4)


def test_duq_scores_by_the_largest_kernel_and_classifies_by_all(tiny_dataset):
    duq = made(Duq, tiny_dataset, length_scale=1.0)
    duq.train_round()
    x = torch.rand(7, 1, 8, 8) * 2 - 1
    with torch.no_grad():
        kernels = (-duq.classifier(x)).exp()
    assert torch.allclose(duq.score(x).exp(), kernels.amax(1), atol=1e-6)
    assert torch.allclose(duq.classify(x), kernels / kernels.sum(1, keepdim=True), atol=1e-6)


def test_the_centroids_move_by_the_embeddings_after_the_update(tiny_dataset):
    duq = made(Duq, tiny_dataset)
    before = copy.deepcopy(duq.classifier)
    order = torch.Generator()
    order.set_state(duq.rng.get_state())
    indices = torch.randperm(60, generator=order)[:16]
    duq.train_round()
    images, labels = duq._labelled(indices)
    before.load_state_dict({**duq.classifier.state_dict(), "counts": before.counts, "sums": before.sums})
    before.move_centroids(before.embed(images), labels, duq.config.centroid_decay)
    assert torch.allclose(duq.classifier.sums, before.sums, rtol=1e-5)
    assert not duq.classifier.sums.requires_grad


def test_without_a_penalty_none_is_computed(tiny_dataset):
    assert "gradient_penalty" in made(Duq, tiny_dataset).train_round()
    assert "gradient_penalty" not in made(Duq, tiny_dataset, lambda_gp=0.0).train_round()


def test_one_member_is_a_plain_classifier_with_the_entropy_of_its_softmax(tiny_dataset):
    ensemble = made(Ensemble, tiny_dataset, members=1)
    for _ in range(3):
        ensemble.train_round()
    x = torch.rand(7, 1, 8, 8) * 2 - 1
    with torch.no_grad():
        log_probabilities = F.log_softmax(ensemble.members[0](x), 1)
    assert torch.allclose(ensemble.score(x), (log_probabilities.exp() * log_probabilities).sum(1), atol=1e-6)
    assert torch.allclose(ensemble.classify(x), log_probabilities.exp(), atol=1e-6)


def test_members_differ_in_their_weights_and_in_their_order(tiny_dataset):
    ensemble = made(Ensemble, tiny_dataset, members=3)
    weights = [next(member.parameters()) for member in ensemble.members]
    assert not torch.equal(weights[0], weights[1])
    orders = ensemble.batches.next()
    assert orders.shape == (3, 16)
    assert len({tuple(order.tolist()) for order in orders}) == 3


def test_each_member_learns_from_its_own_loss_alone(tiny_dataset):
    """A member that is trained beside others is the same as one that is trained alone on the same batches."""
    together = made(Ensemble, tiny_dataset, members=2)
    alone = copy.deepcopy(together.members[1])
    optimizer = torch.optim.SGD(alone.parameters(), 0.05, 0.9, weight_decay=5e-4)
    order = copy.deepcopy(together.batches)
    for _ in range(3):
        together.train_round()
        images, labels = together._labelled(order.next()[1])
        alone.train()
        optimizer.zero_grad()
        F.cross_entropy(alone(images), labels).backward()
        optimizer.step()
    alone.eval()
    x = torch.rand(7, 1, 8, 8) * 2 - 1
    assert torch.allclose(together.members[1](x), alone(x), atol=1e-5)


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (Duq, {"embedding_size": 16, "length_scale": 0.3, "centroid_decay": 0.95, "lambda_gp": 0.0}),
        (Ensemble, {}),
    ],
)
def test_digits_are_learned_in_a_second_and_scrambled_ones_score_lower(method, settings, cache_dir):
    dataset = prepare("digits", cache_dir)
    trained = made(method, dataset, batch_size=64, width=1 / 4, num_features=32, **settings)
    for _ in range(80):
        trained.train_round()
    images = to_tensor(dataset.test.examples)
    accuracy = (trained.classify(images).argmax(1).numpy() == dataset.test.labels).mean()
    assert accuracy > 0.85
    scrambled = scramble_strips(images, 0.5, torch.Generator().manual_seed(0))
    assert auroc(trained.score(images).numpy(), trained.score(scrambled).numpy()) > 0.75
