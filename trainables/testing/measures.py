"""What every measure promises."""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from trainables.errors import InputError
from trainables.evaluator import Evaluation, Evaluator
from trainables.measures.base import MeasureSettings
from trainables.methods import METHODS
from trainables.methods.base import Method, method_class
from trainables.preparation import Preparation, prepare_protocol
from trainables.protocol import Protocol, measure_class

CPU = torch.device("cpu")


class MeasureContract:
    """The tests of a measure with some settings, on a data set that it takes and that needs no download."""

    settings: ClassVar[MeasureSettings]
    dataset_name: ClassVar[str] = "digits"

    @pytest.fixture(scope="class")
    @classmethod
    def measure_settings(cls) -> MeasureSettings:
        return cls.settings

    @pytest.fixture(scope="class")
    @classmethod
    def measured_dataset(cls) -> str:
        return cls.dataset_name

    @pytest.fixture(scope="class")
    @classmethod
    def measure_cache(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("measure")

    @pytest.fixture(scope="class")
    @classmethod
    def preparation(cls, measure_settings: MeasureSettings, measured_dataset: str, measure_cache: Path) -> Preparation:
        return prepare_protocol(Protocol(dataset=measured_dataset, measures=(measure_settings,)), measure_cache)

    @pytest.fixture(scope="class")
    @classmethod
    def evaluator(cls, preparation: Preparation, measure_cache: Path) -> Evaluator:
        return Evaluator(preparation.protocol, measure_cache, CPU)

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, evaluator: Evaluator) -> Method:
        """A method after one round: the first of the project that has the ability and takes the data set.

        Override it for an ability that none of these has.
        """
        needs = measure_class(evaluator.protocol.measures[0].measure).needs
        for method_type in map(method_class, METHODS):
            try:
                method = method_type(method_type.Config.tiny(), evaluator.dataset, CPU)
            except InputError:
                continue
            if isinstance(method, needs):
                method.train_round()
                return method
        raise LookupError(f"no method has the ability {needs.__name__}: override the fixture `trained`")

    @pytest.fixture(scope="class")
    @classmethod
    def evaluation(cls, evaluator: Evaluator, trained: Method) -> Evaluation:
        return evaluator(trained, seed=0)

    def test_settings_name_their_measure(self, measure_settings: MeasureSettings) -> None:
        assert measure_class(measure_settings.measure).Settings is type(measure_settings)

    def test_a_prepared_protocol_goes_through_json(self, preparation: Preparation) -> None:
        protocol = preparation.protocol
        assert Protocol.model_validate_json(protocol.model_dump_json()) == protocol

    def test_preparing_again_changes_nothing(self, preparation: Preparation, measure_cache: Path) -> None:
        assert prepare_protocol(preparation.protocol, measure_cache).protocol.sha256 == preparation.protocol.sha256

    def test_families_are_metrics(self, measure_settings: MeasureSettings, measured_dataset: str) -> None:
        assert set(measure_settings.families().values()) <= measure_settings.metrics(measured_dataset).keys()

    def test_what_is_announced_is_measured(self, preparation: Preparation, evaluation: Evaluation) -> None:
        """Besides metrics, the ends of their intervals may be reported, named after them."""
        announced = preparation.protocol.metrics()
        assert announced.keys() <= evaluation.metrics.keys()
        assert all(name.startswith(tuple(announced)) for name in evaluation.metrics)
        assert all(isinstance(value, float) and math.isfinite(value) for value in evaluation.metrics.values())

    def test_the_method_and_the_seed_decide(
        self, evaluator: Evaluator, trained: Method, evaluation: Evaluation
    ) -> None:
        torch.manual_seed(1)
        assert evaluator(trained, seed=0).metrics == evaluation.metrics

    def test_measuring_does_not_disturb_training(self, evaluator: Evaluator, trained: Method) -> None:
        plain, measured = (type(trained)(trained.config, evaluator.dataset, CPU) for _ in range(2))
        measured.train_round()
        plain.train_round()
        evaluator(measured, seed=0)
        assert measured.train_round() == plain.train_round()

    def test_reference_values_are_of_metrics(self, evaluator: Evaluator, preparation: Preparation) -> None:
        announced = tuple(preparation.protocol.metrics())
        for name, value in evaluator.references().items():
            assert name.startswith(announced), name
            assert math.isfinite(value), name

    def test_pictures_are_drawn_over_those_of_an_earlier_evaluation(
        self, evaluation: Evaluation, tmp_path: Path
    ) -> None:
        frames, pictures = tmp_path / "frames", tmp_path / "pictures"
        frames.mkdir()
        evaluation.draw(pictures)
        evaluation.draw_frame(1, frames)
        evaluation.draw_training(frames, pictures)
        before = {path.name for path in pictures.iterdir()}
        evaluation.draw(pictures)
        assert {path.name for path in pictures.iterdir()} == before
