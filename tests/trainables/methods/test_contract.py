"""What every method promises; a new method is one more line in `TINY`."""

from __future__ import annotations

import copy
import io
import math
from dataclasses import replace

import numpy as np
import pydantic
import pytest
import torch

from trainables.data.cache import open_dataset, prepare
from trainables.data.dataset import Dataset, Split
from trainables.errors import InputError
from trainables.export import export, load_export
from trainables.methods import METHODS
from trainables.methods.base import MethodConfig

CPU = torch.device("cpu")

TINY = {
    "discriminator_only": {
        "width": 1 / 64,
        "batch_size": 16,
        "initial_epochs": 1,
        "max_updates": 3,
        "pool_size": 0.7,
        "discriminator_lr": 1e-3,
    },
    "discriminator_only_points": {"hidden_units": 8, "batch_size": 16, "initial_epochs": 1, "updates": 3},
    "gan": {
        "generator_depth": 1,
        "discriminator_depth": 1,
        "generator_width": 1 / 16,
        "discriminator_width": 1 / 16,
        "batch_size": 16,
        "ema_decay": 0.5,
    },
}

FOR_POINTS = {"discriminator_only_points"}
"""Methods that take points alone."""


@pytest.fixture(params=sorted(METHODS))
def name(request):
    return request.param


@pytest.fixture
def tiny(name, tiny_dataset):
    """The data set that the method takes: images, or 60 + 20 random points of [-1, 1]^2."""
    if name not in FOR_POINTS:
        return tiny_dataset
    generator = np.random.default_rng(0)

    def split(n):
        return Split(generator.uniform(-1, 1, (n, 2)).astype(np.float32), np.arange(n) % 3)

    return Dataset("tiny", split(60), split(20), num_classes=3)


@pytest.fixture
def make(name, tiny):
    method = METHODS[name]

    def build(seed=0, dataset=tiny):
        return method(method.Config(seed=seed, **TINY[name]), dataset, CPU)

    return build


@pytest.fixture(params=sorted(METHODS))
def method_config(request):
    return METHODS[request.param].Config


def through_a_file(state):
    """Save and load the way checkpoints are."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def rounds(method, n):
    return [method.train_round() for _ in range(n)]


def generator(seed=5):
    return torch.Generator().manual_seed(seed)


def test_config_goes_through_json(method_config):
    config = method_config(seed=3)
    assert method_config.model_validate_json(config.model_dump_json()) == config


def test_config_refuses_unknown_settings(method_config):
    with pytest.raises(pydantic.ValidationError, match="no_such_setting"):
        method_config(no_such_setting=1)


def test_config_refuses_a_negative_seed_and_cannot_be_changed(method_config):
    assert issubclass(method_config, MethodConfig)
    with pytest.raises(pydantic.ValidationError, match="seed"):
        method_config(seed=-1)
    with pytest.raises(pydantic.ValidationError):
        method_config().seed = 1


def test_config_refuses_nan_and_infinity_in_every_number(method_config):
    for name, field in method_config.model_fields.items():
        if field.annotation is float:
            for value in (math.nan, math.inf):
                with pytest.raises(pydantic.ValidationError, match=name):
                    method_config(**{name: value})


def test_a_round_reports_finite_numbers(make):
    for metrics in rounds(make(), 2):
        assert metrics
        assert all(isinstance(v, float) and math.isfinite(v) for v in metrics.values())


def test_samples_are_examples_of_the_data_set_in_range(make, tiny):
    method = make()
    method.train_round()
    for n in (1, 16, 21):
        samples = method.sample(n, generator())
        assert samples.shape == (n, *tiny.shape)
        assert samples.dtype == torch.float32
        assert samples.min() >= -1
        assert samples.max() <= 1
        assert not samples.requires_grad


def test_samples_to_evaluate_are_as_many_as_asked_for(make, tiny):
    method = make()
    method.train_round()
    for n in (5, 100):
        samples = method.samples_to_evaluate(n, generator())
        assert samples.shape == (n, *tiny.shape)
        assert samples.min() >= -1
        assert samples.max() <= 1


def test_samples_depend_on_the_generator_alone(make):
    method = make()
    method.train_round()
    first, second, other = (method.sample(8, generator(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_sampling_and_scoring_do_not_disturb_training(make, tiny):
    plain, sampled = make(), make()
    plain.train_round()
    sampled.train_round()
    sampled.sample(8, generator())
    sampled.score(torch.zeros(3, *tiny.shape))
    assert plain.train_round() == sampled.train_round()


def test_score_is_one_number_per_example_whatever_the_batch(make, tiny):
    method = make()
    method.train_round()
    images = torch.rand(9, *tiny.shape) * 2 - 1
    scores = method.score(images)
    if scores is None:
        pytest.skip("the method has no score")
    assert scores.shape == (9,)
    one_by_one = torch.cat([method.score(image[None]) for image in images])
    assert torch.allclose(scores, one_by_one, atol=1e-5)


def test_the_seed_decides(make):
    assert rounds(make(seed=1), 3) == rounds(make(seed=1), 3)
    assert rounds(make(seed=1), 3) != rounds(make(seed=2), 3)


def test_the_global_generator_is_neither_read_nor_moved(make):
    torch.manual_seed(1)
    first = rounds(make(), 2)
    after = torch.random.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(after, torch.random.get_rng_state())
    torch.manual_seed(2)
    assert rounds(make(), 2) == first


def test_the_networks_are_the_ones_that_are_trained(make):
    method = make()
    before = {name: copy.deepcopy(network.state_dict()) for name, network in method.networks().items()}
    assert before
    method.train_round()
    for name, network in method.networks().items():
        assert any(not torch.equal(value, before[name][key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("method_name", sorted(METHODS))
def test_exported_weights_give_the_samples_and_scores_of_their_method(method_name, cache_dir, tmp_path):
    """Of a method with other initial weights, so that all that matters has to be in the file."""
    if method_name in FOR_POINTS:
        cache_dir = tmp_path
        prepare("spiral", cache_dir)
    dataset = open_dataset("spiral" if method_name in FOR_POINTS else "digits", cache_dir)
    config = METHODS[method_name].Config(seed=1, **TINY[method_name])
    method = METHODS[method_name](config, dataset, CPU)
    rounds(method, 2)
    path = tmp_path / "weights.safetensors"
    other_seed = config.model_dump(mode="json") | {"seed": 2}
    export(method_name, other_seed, dataset.name, method, path, 2, {})
    loaded = load_export(path, cache_dir, CPU)
    assert torch.equal(loaded.sample(8, generator()), method.sample(8, generator()))
    images = torch.rand(5, *dataset.shape) * 2 - 1
    scores = method.score(images)
    assert scores is None or torch.equal(loaded.score(images), scores)


@pytest.mark.parametrize("before", [0, 1, 5])
def test_a_restored_run_equals_an_uninterrupted_one_bit_for_bit(make, before):
    uninterrupted = make()
    rounds(uninterrupted, before)
    state = through_a_file(uninterrupted.state_dict())
    restored = make(seed=99)
    restored.load_state_dict(state)
    assert rounds(restored, 3) == rounds(uninterrupted, 3)
    assert torch.equal(restored.sample(4, generator()), uninterrupted.sample(4, generator()))
    evaluated = [m.samples_to_evaluate(30, generator()) for m in (restored, uninterrupted)]
    assert torch.equal(*evaluated)


def test_data_without_labels_is_taken_or_refused_with_a_sentence(make, tiny):
    unlabelled = replace(
        tiny,
        train=Split(tiny.train.examples),
        test=Split(tiny.test.examples),
        num_classes=None,
    )
    try:
        method = make(dataset=unlabelled)
    except InputError as refusal:
        sentence = str(refusal)
    else:
        sentence = "trained without labels"
        method.train_round()
    assert "labels" in sentence
