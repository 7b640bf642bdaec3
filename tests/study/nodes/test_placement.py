"""Packing: which node a trial is sent to."""

from __future__ import annotations

import pytest

from study.nodes.capacity import Node, Resources
from study.nodes.placement import NODE, Packing, placement_groups

TRIAL = Resources(cpus=1, gpus=0)
SMALL, LARGE = Node("a", "10.0.0.1", 2, 0), Node("b", "10.0.0.2", 3, 0)


@pytest.fixture
def nodes(monkeypatch):
    alive = [SMALL, LARGE]
    monkeypatch.setattr("study.nodes.placement.alive_nodes", lambda: alive)
    return alive


def test_the_largest_node_is_filled_first(nodes):
    packing = Packing(TRIAL)
    chosen = [packing(number, set(range(number))) for number in range(6)]
    assert chosen == ["b", "b", "b", "a", "a", None]  # Ray decides where there is no room


def test_the_room_of_a_trial_that_has_ended_is_given_away(nodes):
    packing = Packing(TRIAL)
    for number in range(4):
        packing(number, set(range(number)))
    assert packing(4, {0, 2, 3}) == "b"


def test_a_trial_that_was_lost_with_its_node_goes_to_one_that_is_there(nodes):
    packing = Packing(TRIAL)
    assert packing(0, set()) == "b"
    nodes.remove(LARGE)
    assert packing(0, {0}) == "a"  # the trial that is handed out again is among the running


def test_the_chosen_node_is_a_preference_and_changes_nothing_else():
    of = placement_groups(TRIAL)
    assert of({}).strategy == "PACK"
    preferring = of({NODE: "ff" * 28})
    assert (preferring.strategy, preferring.bundles) == ("STRICT_PACK", of({}).bundles)
