"""What a method promises that says that it `stacks`: each member's numbers are those of training it alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from trainables.data.dataset import Dataset
from trainables.errors import InputError
from trainables.methods.stackable import Stackable
from trainables.stack import Round, Stack
from trainables.testing.data import tiny_images, tiny_points
from trainables.testing.states import leaves, through_a_file

MEMBERS = 3
ROUNDS = 4
TOLERANCE = 1e-8
"""Relative, in float64, after `ROUNDS` rounds. In float32 a training amplifies rounding, alone and in a stack."""
ROUNDING = 1e-4
"""The same in float32, between stacks of different members."""

Members = list[Stackable]


class StackContract:
    """Every test trains members with seeds of their own, in a stack and alone."""

    method: ClassVar[type[Stackable]]

    @pytest.fixture
    def method_type(self) -> type[Stackable]:
        return self.method

    @pytest.fixture
    def settings(self) -> Mapping[str, Any]:
        """Settings beside the tiny ones."""
        return {}

    @pytest.fixture
    def dataset(self, method_type: type[Stackable], settings: Mapping[str, Any]) -> Dataset:
        """A small data set that the method takes: images, or points if it refuses images."""
        try:
            method_type(method_type.Config.tiny(**settings), tiny_images(), torch.device("cpu"))
        except InputError:
            return tiny_points()
        return tiny_images()

    @pytest.fixture
    def make(
        self, method_type: type[Stackable], settings: Mapping[str, Any], dataset: Dataset
    ) -> Callable[[], Members]:
        """Builds members."""

        def build() -> Members:
            configs = [method_type.Config.tiny(**settings, seed=seed) for seed in range(MEMBERS)]
            return [method_type(config, dataset, torch.device("cpu")) for config in configs]

        return build

    @pytest.fixture
    def exactly(self) -> Iterator[None]:
        """Everything in float64."""
        torch.set_default_dtype(torch.float64)
        yield
        torch.set_default_dtype(torch.float32)

    @pytest.mark.usefixtures("exactly")
    def test_each_member_gets_the_numbers_that_it_gets_alone(self, make: Callable[[], Members]) -> None:
        stacked, alone = make(), make()
        stack = Stack(stacked)
        for _ in range(ROUNDS):
            for got, expected in zip(stack.train_round(), [m.train_round() for m in alone], strict=True):
                assert got == pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE)
        stack.write_back()
        for member, single in zip(stacked, alone, strict=True):
            self._assert_alike(member, single)

    @pytest.mark.parametrize("before", [0, 2])
    def test_a_stack_of_restored_members_goes_on_bit_for_bit(self, make: Callable[[], Members], before: int) -> None:
        uninterrupted = Stack(make())
        expected = [uninterrupted.train_round() for _ in range(before + 2)]
        members = make()
        made = rounds(members, before) if before else []
        restored = make()
        for member, saved in zip(restored, members, strict=True):
            member.load_state_dict(through_a_file(saved.state_dict()))
        assert made + rounds(restored, 2) == expected

    def test_a_member_that_diverges_takes_no_other_with_it(self, make: Callable[[], Members]) -> None:
        healthy, others = make(), make()
        for network in others[1].networks().values():
            for parameter in network.parameters():
                nn.init.constant_(parameter, math.nan)
        expected, got = rounds(healthy, 2), rounds(others, 2)
        assert not all(map(math.isfinite, got[-1][1].values()))
        for number in range(2):
            for k in (0, 2):
                assert got[number][k] == pytest.approx(expected[number][k], rel=ROUNDING, abs=ROUNDING)

    @staticmethod
    def _assert_alike(member: Stackable, single: Stackable) -> None:
        """In all that their next rounds depend on. A weight may also differ by less than an update's rounding."""
        expected = dict(leaves(single.state_dict()))
        got = dict(leaves(member.state_dict()))
        assert got.keys() == expected.keys()
        for path, value in got.items():
            if isinstance(value, Tensor) and value.is_floating_point():
                torch.testing.assert_close(value, expected[path], rtol=1e-6, atol=1e-8, msg=path)
            elif isinstance(value, Tensor):
                assert torch.equal(value, expected[path]), path
            else:
                assert value == pytest.approx(expected[path]), path


def rounds(members: Members, number: int) -> list[list[Round]]:
    """The metrics of `number` rounds in a stack, which is written back."""
    stack = Stack(members)
    made = [stack.train_round() for _ in range(number)]
    stack.write_back()
    return made
