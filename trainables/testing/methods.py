"""What every method promises, and what methods with an ability promise."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import pydantic
import pytest
import safetensors.torch
import torch
from torch import Tensor

from trainables.data.dataset import Dataset
from trainables.errors import InputError
from trainables.methods.abilities import (
    ChoosesSamples,
    Classifies,
    Follows,
    Moves,
    Reconstructs,
    Restores,
    Samples,
    Scores,
)
from trainables.methods.base import Method, MethodConfig
from trainables.methods.scalars import Scalars, read
from trainables.testing.data import tiny_images, tiny_points
from trainables.testing.states import (
    META,
    AnyGenerator,
    devices,
    leaves,
    size,
    through_a_file,
    up_to_missing_data,
    without_fused_kernels,
)

CPU = torch.device("cpu")
Make = Callable[..., Method]
Use = Callable[[Method], dict[str, Tensor]]


def new_rng(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def train(method: Method, rounds: int) -> list[Scalars]:
    return [method.train_round() for _ in range(rounds)]


def use_abilities(method: Method, examples: Tensor, degraded: Tensor) -> dict[str, Tensor]:
    """The results of the abilities that need the networks alone, by the ability's name."""
    made = {}
    if isinstance(method, Samples):
        made["sample"] = method.sample(8, new_rng())
    if isinstance(method, Scores):
        made["score"] = method.score(examples)
    if isinstance(method, Classifies):
        made["classify"] = method.classify(examples)
    if isinstance(method, Restores):
        made["restore"] = method.restore(degraded)
    if isinstance(method, Reconstructs):
        made["reconstruct"] = method.reconstruct(examples)
    return made


def assert_alike(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for ability, made in first.items():
        assert torch.equal(made, second[ability]), ability


class MethodContract:
    """The tests of a method and of its abilities. Tests of abilities that it lacks are skipped."""

    method: ClassVar[type[Method]]

    @pytest.fixture(autouse=True)
    def _generators_of_an_accelerator(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch, "Generator", AnyGenerator)

    @pytest.fixture
    def method_type(self) -> type[Method]:
        return self.method

    @pytest.fixture
    def dataset(self, method_type: type[Method]) -> Dataset:
        """A small data set that the method takes: images, or points if it refuses images."""
        try:
            method_type(method_type.Config.tiny(), tiny_images(), CPU)
        except InputError:
            return tiny_points()
        return tiny_images()

    @pytest.fixture
    def make(self, method_type: type[Method], dataset: Dataset) -> Make:
        """Builds the method with tiny settings and a seed, on a data set and a device."""

        def build(seed: int = 0, dataset: Dataset = dataset, device: torch.device = CPU) -> Method:
            return method_type(method_type.Config.tiny(seed=seed), dataset, device)

        return build

    @pytest.fixture
    def examples(self, dataset: Dataset) -> Tensor:
        """What a trained method is shown: random, of the data set's shape, in [-1, 1]."""
        return torch.rand(9, *dataset.shape, generator=new_rng(1)) * 2 - 1

    @pytest.fixture
    def degraded(self, examples: Tensor) -> Tensor:
        """What a method that restores is shown. Override it where degraded examples are smaller than the originals."""
        return examples

    @pytest.fixture
    def use(self, examples: Tensor, degraded: Tensor) -> Use:
        """Uses every ability of a method."""
        return partial(use_abilities, examples=examples, degraded=degraded)

    # --- settings ---------------------------------------------------------------------------------

    def test_a_config_goes_through_json(self, method_type: type[Method]) -> None:
        assert issubclass(method_type.Config, MethodConfig)
        for config in (method_type.Config(seed=3), method_type.Config.tiny(seed=3)):
            assert config.seed == 3
            assert type(config).model_validate_json(config.model_dump_json()) == config

    def test_a_config_refuses_unknown_settings(self, method_type: type[Method]) -> None:
        with pytest.raises(pydantic.ValidationError, match="no_such_setting"):
            method_type.Config.model_validate({"no_such_setting": 1})

    def test_a_config_refuses_a_negative_seed_and_cannot_be_changed(self, method_type: type[Method]) -> None:
        with pytest.raises(pydantic.ValidationError, match="seed"):
            method_type.Config(seed=-1)
        with pytest.raises(pydantic.ValidationError, match="frozen"):
            method_type.Config().seed = 1  # type: ignore[misc]

    def test_a_config_refuses_nan_and_infinity_in_every_number(self, method_type: type[Method]) -> None:
        for name, field in method_type.Config.model_fields.items():
            if field.annotation is float:
                for value in (math.nan, math.inf):
                    with pytest.raises(pydantic.ValidationError, match=name):
                        method_type.Config(**{name: value})

    # --- training ---------------------------------------------------------------------------------

    def test_a_round_reports_finite_numbers(self, make: Make) -> None:
        for metrics in train(make(), 2):
            assert metrics
            assert all(isinstance(value, float) and math.isfinite(value) for value in metrics.values())

    def test_a_round_reports_what_the_method_declares(self, make: Make) -> None:
        method = make()
        declared = vars(type(method)).get("round_metrics")
        assert declared is None or train(method, 1)[0].keys() <= set(declared)

    def test_the_seed_decides(self, make: Make) -> None:
        assert train(make(seed=1), 3) == train(make(seed=1), 3)
        assert train(make(seed=1), 3) != train(make(seed=2), 3)

    def test_the_global_generator_is_neither_read_nor_moved(self, make: Make, use: Use) -> None:
        def run() -> tuple[list[Scalars], dict[str, Tensor]]:
            method = make()
            return train(method, 2), use(method)

        torch.manual_seed(1)
        before = torch.random.get_rng_state()
        metrics, outputs = run()
        assert torch.equal(before, torch.random.get_rng_state())
        torch.manual_seed(2)
        other_metrics, other_outputs = run()
        assert metrics == other_metrics
        assert_alike(outputs, other_outputs)

    def test_the_networks_are_the_ones_that_are_trained(self, make: Make) -> None:
        method = make()
        before = {name: copy.deepcopy(network.state_dict()) for name, network in method.networks().items()}
        assert before
        method.train_round()
        for name, network in method.networks().items():
            assert any(not torch.equal(value, before[name][key]) for key, value in network.state_dict().items()), name

    def test_using_a_method_does_not_disturb_its_training(self, make: Make, use: Use) -> None:
        plain, used = make(), make()
        plain.train_round()
        used.train_round()
        use(used)
        if isinstance(used, ChoosesSamples):
            used.samples_to_evaluate(30, new_rng())
        if isinstance(used, Follows):
            used.follow(30)
        assert train(plain, 2) == train(used, 2)

    def test_data_without_labels_are_taken_or_refused_with_a_sentence(self, make: Make, dataset: Dataset) -> None:
        train_split, test_split = (replace(split, labels=None) for split in (dataset.train, dataset.test))
        unlabelled = replace(dataset, train=train_split, test=test_split, num_classes=None)
        try:
            method = make(dataset=unlabelled)
        except InputError as refusal:
            sentence = str(refusal)
        else:
            sentence = "trained without labels"
            method.train_round()
        assert "labels" in sentence

    # --- state ------------------------------------------------------------------------------------

    def test_a_state_is_tensors_and_plain_values(self, make: Make) -> None:
        method = make()
        method.train_round()
        state = method.state_dict()
        assert state.keys() == {"rng", *method.state}
        for path, value in leaves(state):
            assert isinstance(value, Tensor | bool | int | float | str | None), path
        assert through_a_file(state).keys() == state.keys()

    @pytest.mark.parametrize("before", [0, 1, 5])
    def test_a_restored_run_equals_an_uninterrupted_one_bit_for_bit(self, make: Make, use: Use, before: int) -> None:
        uninterrupted = make()
        train(uninterrupted, before)
        state = through_a_file(uninterrupted.state_dict())
        restored = make(seed=99)
        restored.load_state_dict(state)
        assert train(restored, 3) == train(uninterrupted, 3)
        assert_alike(use(restored), use(uninterrupted))
        if isinstance(restored, ChoosesSamples) and isinstance(uninterrupted, ChoosesSamples):
            chosen = [method.samples_to_evaluate(30, new_rng()) for method in (restored, uninterrupted)]
            assert torch.equal(*chosen)
        if isinstance(restored, Follows) and isinstance(uninterrupted, Follows):
            assert torch.equal(restored.follow(30), uninterrupted.follow(30))
        if isinstance(restored, Moves) and isinstance(uninterrupted, Moves):
            assert torch.equal(torch.stack(restored.moved()), torch.stack(uninterrupted.moved()))

    def test_a_finished_method_does_what_it_did_and_has_no_larger_state(self, make: Make, use: Use) -> None:
        method = make()
        train(method, 2)
        before, size_before = use(method), size(method.state_dict())
        evaluated = method.samples_to_evaluate(30, new_rng()) if isinstance(method, ChoosesSamples) else None
        method.finish()
        small = through_a_file(method.state_dict())
        restored = make(seed=99)
        restored.load_state_dict(small)
        for finished in (method, restored):
            assert_alike(use(finished), before)
            if isinstance(finished, ChoosesSamples) and evaluated is not None:
                assert torch.equal(finished.samples_to_evaluate(30, new_rng()), evaluated)
        assert size(small) <= size_before

    def test_the_state_of_another_kind_of_method_is_refused(self, make: Make) -> None:
        method = make()
        with pytest.raises(ValueError, match="no_such_attribute"):
            method.load_state_dict(method.state_dict() | {"no_such_attribute": 1})

    @pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
    def test_a_checkpoint_is_put_on_the_devices_that_its_tensors_are_needed_on(self, make: Make) -> None:
        """Checkpoints are read on the CPU. This needs no accelerator, so every machine tests a resume on one."""
        trained = make()
        train(trained, 2)
        method = make(device=META)
        before = devices(method.state_dict())
        method.load_state_dict(through_a_file(trained.state_dict()))
        after = devices(method.state_dict())
        assert {path: after[path] for path in before if path in after} == {p: before[p] for p in before if p in after}
        # Optimisers have a state per weight only after the first round.
        tensors = {path: value for path, value in leaves(trained.state_dict()) if isinstance(value, Tensor)}
        misplaced = [path for path in after.keys() - before.keys() if tensors[path].dim() and after[path] != META.type]
        assert not misplaced

    @pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
    def test_no_round_or_ability_mixes_an_accelerator_with_the_cpu(self, make: Make, use: Use) -> None:
        """Before and after a resume, up to where the host asks for numbers."""
        trained = make()
        train(trained, 2)
        fresh, resumed = make(device=META), make(device=META)
        resumed.load_state_dict(through_a_file(trained.state_dict()))
        for method in (fresh, resumed):
            without_fused_kernels(method)
            for call in (method.train_round, partial(use, method)):
                with up_to_missing_data():
                    call()

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    def test_a_run_is_restored_on_a_gpu(self, make: Make, use: Use) -> None:
        device = torch.device("cuda")
        uninterrupted = make(device=device)
        train(uninterrupted, 2)
        restored = make(seed=99, device=device)
        restored.load_state_dict(through_a_file(uninterrupted.state_dict()))
        first, second = (read(train(method, 1), 1)[0] for method in (restored, uninterrupted))
        assert first == pytest.approx(second, rel=1e-3, abs=1e-4)
        assert use(restored).keys() == use(uninterrupted).keys()

    def test_the_weights_and_the_config_are_all_that_the_abilities_need(self, make: Make, use: Use) -> None:
        """In a new object with other initial weights, so that all that matters has to be in `networks`."""
        method, other = make(seed=1), make(seed=2)
        train(method, 2)
        for name, network in other.networks().items():
            weights = {key: value.contiguous() for key, value in method.networks()[name].state_dict().items()}
            network.load_state_dict(safetensors.torch.load(safetensors.torch.save(weights)))
        assert_alike(use(other), use(method))

    # --- abilities --------------------------------------------------------------------------------

    def test_samples_are_examples_of_the_data_set(self, make: Make, dataset: Dataset) -> None:
        method = trained_with(Samples, make)
        for n in (1, 16, 21):
            assert_examples(method.sample(n, new_rng()), n, dataset)

    def test_samples_depend_on_the_generator_alone(self, make: Make) -> None:
        method = trained_with(Samples, make)
        first, second, other = (method.sample(8, new_rng(seed)) for seed in (5, 5, 6))
        assert torch.equal(first, second)
        assert not torch.equal(first, other)

    def test_chosen_samples_are_as_many_as_asked_for(self, make: Make, dataset: Dataset) -> None:
        method = trained_with(ChoosesSamples, make)
        for n in (5, 100):
            assert_examples(method.samples_to_evaluate(n, new_rng()), n, dataset)

    def test_followed_samples_are_of_the_same_latents_at_every_call(self, make: Make, dataset: Dataset) -> None:
        method = trained_with(Follows, make)
        first = method.follow(20)
        assert_examples(first, 20, dataset)
        method.sample(3, new_rng())
        assert torch.equal(method.follow(20), first)
        assert torch.equal(method.follow(7), first[:7])
        method.train_round()
        assert not torch.equal(method.follow(20), first)
        one, other = (trained_with(Follows, partial(make, seed=seed)) for seed in (1, 2))
        assert not torch.equal(one.follow(20), other.follow(20))

    def test_a_score_is_one_number_per_example_whatever_the_batch(self, make: Make, examples: Tensor) -> None:
        method = trained_with(Scores, make)
        scores = method.score(examples)
        assert scores.shape == (9,)
        assert not scores.requires_grad
        assert torch.allclose(scores, torch.cat([method.score(example[None]) for example in examples]), atol=1e-5)

    def test_classes_have_probabilities_whatever_the_batch(
        self, make: Make, examples: Tensor, dataset: Dataset
    ) -> None:
        method = trained_with(Classifies, make)
        probabilities = method.classify(examples)
        assert probabilities.shape == (9, dataset.num_classes)
        assert not probabilities.requires_grad
        assert probabilities.min() >= 0
        assert torch.allclose(probabilities.sum(1), torch.ones(9, device=probabilities.device), atol=1e-5)
        one_by_one = torch.cat([method.classify(example[None]) for example in examples])
        assert torch.allclose(probabilities, one_by_one, atol=1e-5)

    def test_restored_images_are_examples_of_the_data_set(self, make: Make, degraded: Tensor, dataset: Dataset) -> None:
        method = trained_with(Restores, make)
        assert_examples(method.restore(degraded), len(degraded), dataset)

    def test_reconstructions_are_examples_of_the_data_set(self, make: Make, examples: Tensor, dataset: Dataset) -> None:
        method = trained_with(Reconstructs, make)
        assert_examples(method.reconstruct(examples), len(examples), dataset)

    def test_moved_points_are_pairs(self, make: Make, dataset: Dataset) -> None:
        before, after = trained_with(Moves, make).moved()
        assert before.shape == after.shape == (len(before), *dataset.shape)
        assert len(before) > 0


def trained_with(ability: type, make: Make) -> Any:
    """The method after a round, if it has the ability; else the test is skipped."""
    method = make()
    if not isinstance(method, ability):
        pytest.skip(f"{type(method).__name__} lacks the ability {ability.__name__}")
    method.train_round()
    return method


def assert_examples(made: Tensor, n: int, dataset: Dataset) -> None:
    """`n` floats of the data set's shape; images are in [-1, 1]."""
    assert made.shape == (n, *dataset.shape)
    assert made.dtype == torch.float32
    assert made.isfinite().all()
    assert not made.requires_grad
    if len(dataset.shape) == 3:
        assert made.min() >= -1
        assert made.max() <= 1
