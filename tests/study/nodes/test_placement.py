"""Packing: which node a trial is sent to."""

from __future__ import annotations

import pytest

from study.config import StudyConfig
from study.nodes.capacity import Node
from study.nodes.placement import NODE, Packing, resources
from study.plan import StudyPlan

SMALL, LARGE = Node("a", "10.0.0.1", 2, 0), Node("b", "10.0.0.2", 3, 0)


@pytest.fixture
def plan(tmp_path):
    return StudyPlan.of(StudyConfig(space="gradnorm", scale="smoke", storage_dir=tmp_path))


@pytest.fixture
def nodes(monkeypatch):
    alive = [SMALL, LARGE]
    monkeypatch.setattr("study.nodes.placement.alive_nodes", lambda: alive)
    return alive


def test_the_largest_node_is_filled_first(plan, nodes):
    packing = Packing(plan)
    chosen = [packing(number, set(range(number))) for number in range(6)]
    assert chosen == ["b", "b", "b", "a", "a", None]  # Ray decides where there is no room


def test_the_room_of_a_trial_that_has_ended_is_given_away(plan, nodes):
    packing = Packing(plan)
    for number in range(4):
        packing(number, set(range(number)))
    assert packing(4, {0, 2, 3}) == "b"


def test_a_trial_that_was_lost_with_its_node_goes_to_one_that_is_there(plan, nodes):
    packing = Packing(plan)
    assert packing(0, set()) == "b"
    nodes.remove(LARGE)
    assert packing(0, {0}) == "a"  # the trial that is handed out again is among the running


def test_the_choice_is_a_wish_among_the_resources(plan):
    of = resources(plan)
    assert of({}).strategy == "PACK"
    wish = of({NODE: "ff" * 28})
    assert (wish.strategy, wish.bundles) == ("STRICT_PACK", of({}).bundles)
