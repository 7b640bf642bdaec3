"""SGAN and Improved GAN with feature matching."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from trainables.data.cache import prepare
from trainables.data.dataset import Dataset, Split
from trainables.data.labelled import draw_labelled
from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.methods.feature_matching import FeatureMatching
from trainables.methods.sgan import Sgan

CPU = torch.device("cpu")
METHODS = pytest.mark.parametrize("method_type", [Sgan, FeatureMatching])


def make(method_type, dataset, **settings):
    return method_type(method_type.Config.tiny(**settings), dataset, CPU)


def accuracy(method, split):
    predicted = method.classify(to_tensor(split.examples)).argmax(1).numpy()
    return float((predicted == split.labels).mean())


@METHODS
def test_only_the_drawn_examples_have_labels(method_type, tiny_dataset):
    """All other labels may be anything."""
    method = make(method_type, tiny_dataset, labels=12, label_draw=3)
    drawn = draw_labelled(tiny_dataset, 12, 3)
    assert torch.equal(method.labelled_images, to_tensor(tiny_dataset.train.examples[drawn]))
    assert method.labelled_classes.tolist() == tiny_dataset.train.labels[drawn].tolist()
    before = [method.train_round() for _ in range(2)]
    tiny_dataset.train.labels[np.setdiff1d(np.arange(60), drawn)] = 0
    other = make(method_type, tiny_dataset, labels=12, label_draw=3)
    other.labelled_images, other.labelled_classes = method.labelled_images, method.labelled_classes
    assert [other.train_round() for _ in range(2)] == before


@METHODS
def test_the_draw_does_not_depend_on_the_seed_nor_the_seed_on_the_draw(method_type, tiny_dataset):
    one, other_seed, other_draw = (make(method_type, tiny_dataset, **s) for s in ({}, {"seed": 1}, {"label_draw": 1}))
    assert torch.equal(one.labelled_images, other_seed.labelled_images)
    assert not torch.equal(one.labelled_images, other_draw.labelled_images)
    weights = [next(iter(m.discriminator.parameters())) for m in (one, other_seed, other_draw)]
    assert torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], weights[1])


@METHODS
def test_a_weight_of_zero_is_the_discriminator_trained_on_the_labels_alone(method_type, cache_dir):
    """Step by step, the same as with unlabelled and generated images whose loss has no weight."""
    digits = prepare("digits", cache_dir)
    alone, weightless = (make(method_type, digits, labels=25, unlabelled_weight=0.0) for _ in range(2))
    weightless.is_supervised = False
    before = copy.deepcopy(alone.generator.state_dict())
    for _ in range(6):
        assert alone.train_round().keys() == {"loss_labelled", "accuracy_labelled"}
        assert "loss_generator" in weightless.train_round()
        assert accuracy(alone, digits.test) == accuracy(weightless, digits.test)
    for name, weight in alone.discriminator.state_dict().items():
        assert torch.allclose(weight, weightless.discriminator.state_dict()[name], atol=1e-5), name
    assert all(torch.equal(value, before[name]) for name, value in alone.generator.state_dict().items())


@METHODS
def test_the_update_of_one_network_computes_no_gradients_of_the_other(method_type, tiny_dataset):
    method = make(method_type, tiny_dataset)
    of_discriminator, of_generator = (list(n.parameters()) for n in (method.discriminator, method.generator))
    update_discriminator, update_generator = method.discriminator_optimizer.step, method.generator_optimizer.step
    seen = []

    def discriminator_step():
        assert all(weight.grad is None for weight in of_generator)
        seen.extend(copy.deepcopy(weight.grad) for weight in of_discriminator)
        return update_discriminator()

    def generator_step():
        assert all(weight.grad is not None for weight in of_generator if weight.requires_grad)
        for before, weight in zip(seen, of_discriminator, strict=True):
            assert weight.grad is before is None or torch.equal(weight.grad, before)
        seen.append("generator")
        return update_generator()

    method.discriminator_optimizer.step, method.generator_optimizer.step = discriminator_step, generator_step
    method.train_round()
    assert seen[-1] == "generator"


@METHODS
def test_classes_are_given_that_an_image_is_real(method_type, tiny_dataset):
    method = make(method_type, tiny_dataset)
    method.train_round()
    x = to_tensor(tiny_dataset.test.examples)
    if method_type is Sgan:
        logits = copy.deepcopy(method.discriminator).eval()(x).detach()
        joint = logits.softmax(1)
    else:
        logits = copy.deepcopy(method.averaged.module)(x).detach()
        joint = torch.cat([logits, torch.zeros(len(x), 1)], 1).softmax(1)
    assert torch.allclose(method.classify(x), joint[:, :-1] / joint[:, :-1].sum(1, keepdim=True), atol=1e-5)
    assert torch.allclose(method.score(x).sigmoid(), 1 - joint[:, -1], atol=1e-5)


@METHODS
def test_what_cannot_be_trained_on_is_refused_in_one_sentence(method_type, tiny_dataset):
    for settings, sentence in (
        ({"labels": 61}, "61 labels are more than the 60 training examples of 'tiny': set labels to 60 or less"),
        ({"labels": 2}, "2 labels are fewer than the 3 classes of 'tiny': set labels to 3 or more"),
    ):
        with pytest.raises(InputError, match=sentence):
            make(method_type, tiny_dataset, **settings)


# --- SGAN -----------------------------------------------------------------------------------------


def test_a_round_of_sgan_is_the_lectures(tiny_dataset):
    """The three losses by the softmax over C + 1 classes, with plain modules and plain updates."""
    method = make(Sgan, tiny_dataset, init_std=0.1, discriminator_lr=1e-3, generator_lr=1e-3, unlabelled_weight=0.7)
    d, g = copy.deepcopy(method.discriminator), copy.deepcopy(method.generator)
    seen = {}
    for name in ("unlabelled_batch", "generate"):
        original = getattr(method, name)
        setattr(method, name, lambda name=name, original=original: seen.setdefault(name, original()))
    update = method.update_networks

    def watched(images, classes, rng):
        seen["images"], seen["classes"] = images, classes
        seen["rng"] = method.rng.get_state()
        return update(images, classes, rng)

    method.update_networks = watched
    metrics = method.train_round()
    method.rng.set_state(seen["rng"])
    z = method.latents.draw(8, method.rng)
    fake = g(z)
    assert torch.allclose(fake, seen["generate"], atol=1e-6)
    log_labelled, log_real, log_fake = (
        d(x).log_softmax(1) for x in (seen["images"], seen["unlabelled_batch"], fake.detach())
    )
    labelled = -log_labelled[torch.arange(8), seen["classes"]].mean()
    unlabelled = -torch.log(1 - log_real[:, -1].exp()).mean() - log_fake[:, -1].mean()
    adam = torch.optim.Adam(d.parameters(), lr=1e-3, betas=(0.5, 0.999))
    (labelled + 0.7 * unlabelled).backward()
    adam.step()
    of_generator = -torch.log(1 - d(fake).log_softmax(1)[:, -1].exp()).mean()
    expected = {"loss_labelled": labelled, "loss_unlabelled": unlabelled, "loss_generator": of_generator}
    assert {name: metrics[name] for name in expected} == pytest.approx(
        {name: value.item() for name, value in expected.items()}, rel=1e-4
    )
    for name, weight in d.named_parameters():
        assert torch.allclose(weight, dict(method.discriminator.named_parameters())[name], atol=1e-5), name


def test_the_discriminator_of_sgan_gathers_its_statistics_from_labelled_batches():
    images = np.random.default_rng(0).integers(0, 256, (60, 1, 16, 16), dtype=np.uint8)
    split = Split(images, np.arange(60) % 3)
    rates = {"discriminator_lr": 1e-12, "generator_lr": 1e-12}
    statistics = []
    for weight in (0.0, 1.0):
        method = make(Sgan, Dataset("some", split, split, 3), unlabelled_weight=weight, **rates)
        for _ in range(3):
            method.train_round()
        statistics.append({n: v for n, v in method.discriminator.state_dict().items() if "running" in n})
    assert statistics[0]
    for name, value in statistics[0].items():
        assert torch.allclose(value, statistics[1][name], atol=1e-5), name


# --- feature matching -----------------------------------------------------------------------------


def test_after_its_initialisation_every_layer_has_mean_0_and_deviation_1(tiny_dataset):
    method = make(FeatureMatching, tiny_dataset, discriminator_width=0.1)
    network = method.discriminator
    images = to_tensor(tiny_dataset.train.examples)
    rng = torch.Generator().manual_seed(3)
    network.initialise_by_data(images, rng)
    outputs = []
    for layer in (*network.hidden, network.output):
        # The activation that follows is in place.
        layer.register_forward_hook(lambda module, inputs, output: outputs.append(output.detach().clone()))
    network(images, network.noise((60, torch.Generator().manual_seed(3)), device=CPU))
    assert len(outputs) == 6
    for output in outputs:
        assert output.mean(0).abs().max() < 1e-5
        assert (output.std(0, correction=0) - 1).abs().max() < 1e-3


def test_the_average_of_the_weights_is_the_sum_of_a_geometric_series(tiny_dataset):
    """After n rounds with constant weights p, begun at a: `p + (a - p) (1 - rate)^n`."""
    method = make(FeatureMatching, tiny_dataset, average_rate=0.01, lr=1e-12)
    begun = {name: value.clone() for name, value in method.averaged.module.named_parameters()}
    with torch.no_grad():
        for weight in method.discriminator.parameters():
            weight += 1
    for _ in range(20):
        method.train_round()
    for name, weight in method.discriminator.named_parameters():
        expected = weight + (begun[name] - weight) * 0.99**20
        assert torch.allclose(method.averaged.module.get_parameter(name), expected, atol=1e-5), name


def test_the_published_networks_have_their_sizes():
    """784-1000-500-250-250-250-10 and 100-500-500-784; a scale of each weight-normalised output, a shift per unit."""
    images = np.zeros((600, 1, 28, 28), np.uint8)
    images[:, 0, ::2] = np.random.default_rng(0).integers(0, 256, (600, 14, 28))
    split = Split(images, np.arange(600) % 10)
    method = FeatureMatching(FeatureMatching.Config(), Dataset("mnist_like", split, split, 10), CPU)
    sizes = (784, 1000, 500, 250, 250, 250, 10)
    trained = [w for w in method.discriminator.parameters() if w.requires_grad]
    assert sum(w.numel() for w in trained) == sum(a * b + b for a, b in pairwise(sizes)) + 10
    trained = [w for w in method.generator.parameters() if w.requires_grad]
    assert sum(w.numel() for w in trained) == 100 * 500 + 500 + 500 * 500 + 500 + 500 * 784 + 784 + 784


def test_noise_is_added_to_pixels_and_hidden_units_with_the_published_deviations(tiny_dataset):
    network = make(FeatureMatching, tiny_dataset).discriminator
    noise = torch.randn(5, sum(network.sizes), generator=torch.Generator().manual_seed(0))
    x = to_tensor(tiny_dataset.train.examples[:5])
    parts = noise.split(network.sizes, dim=1)
    h = (x.flatten(1) + 1) / 2 + 0.3 * parts[0]
    for layer, part in zip(network.hidden, parts[1:], strict=True):
        h = F.relu(layer(h)) + 0.5 * part
    assert torch.allclose(network(x, noise), network.output(h), atol=1e-5)
    assert torch.allclose(network.features(x, noise), h - 0.5 * parts[-1], atol=1e-5)
    assert not torch.allclose(network(x), network(x, noise), atol=1e-2)


def test_labelled_and_unlabelled_rows_have_noise_of_their_own(tiny_dataset):
    network = make(FeatureMatching, tiny_dataset).discriminator
    one, two = (torch.Generator().manual_seed(seed) for seed in (1, 2))
    noise = network.noise((8, one), (3, two), device=CPU)
    assert torch.equal(noise[:8], network.noise((8, torch.Generator().manual_seed(1)), device=CPU))
    assert torch.equal(noise[8:], network.noise((3, torch.Generator().manual_seed(2)), device=CPU))


SMALL = {
    Sgan: {"generator_width": 0.25, "discriminator_width": 0.25, "init_std": 0.05, "batch_size": 64}
    | dict.fromkeys(("generator_lr", "discriminator_lr"), 1e-3),
    FeatureMatching: {"generator_width": 0.25, "discriminator_width": 0.25, "average_rate": 0.02, "batch_size": 50},
}
ROUNDS = {Sgan: 400, FeatureMatching: 100}
"""How long it takes until the unlabelled images help."""


@pytest.mark.slow
@METHODS
def test_unlabelled_images_help_with_25_labels(method_type, cache_dir):
    """On the digits, each method against its own discriminator: the mean of three draws."""
    digits = prepare("digits", cache_dir)

    def mean_accuracy(weight):
        found = []
        for draw in range(3):
            settings = {"labels": 25, "label_draw": draw, "unlabelled_weight": weight}
            method = make(method_type, digits, **SMALL[method_type], **settings)
            for _ in range(ROUNDS[method_type]):
                method.train_round()
            found.append(accuracy(method, digits.test))
        return np.mean(found)

    assert mean_accuracy(1.0) > mean_accuracy(0.0) + 0.005
