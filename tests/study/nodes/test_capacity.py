from __future__ import annotations

import pytest

from study.nodes.capacity import Capacity, Node, Resources, check_fits
from trainables.errors import InputError


@pytest.mark.parametrize(
    ("node", "trial", "fits"),
    [
        ((8, 0), (1, 0), 8),
        ((8, 0), (3, 0), 2),
        ((8, 4), (1, 1), 4),
        ((2, 4), (1, 1), 2),
        ((8, 4), (1, 2), 2),
        ((8, 0), (1, 1), 0),
        ((0, 4), (1, 0), 0),
        ((64, 2), (1, 0.25), 8),
        ((64, 2), (1, 0.1), 20),
        ((64, 2), (1, 0.4), 4),  # two on each GPU: none lies on two of them
        ((64, 2), (1, 0.6), 2),
        ((3, 0), (0.1, 0), 30),
    ],
)
def test_how_many_trials_a_node_fits(node, trial, fits):
    assert Node("id", "10.0.0.1", *node).fits(Resources(*trial)) == fits


def test_a_trial_has_to_fit_one_node_not_all_of_them_together():
    nodes = [Node("a", "10.0.0.1", 16, 0), Node("b", "10.0.0.2", 4, 2), Node("c", "10.0.0.3", 4, 2)]
    check_fits(Resources(cpus=4, gpus=2), nodes)
    check_fits(Resources(cpus=16, gpus=0), nodes)
    for trial in (Resources(1, 4), Resources(20, 0), Resources(8, 1)):
        with pytest.raises(InputError, match=r"no node has as many, not even 10\.0\.0\.2 \(4 CPUs, 2 GPUs\)"):
            check_fits(trial, nodes)


@pytest.mark.parametrize(
    ("limits", "at_once"),
    [({}, 5), ({"max_concurrent": 3}, 3), ({"max_concurrent": 9}, 5), ({"population": 12}, 12)],
)
def test_as_many_trials_run_as_fit_and_are_allowed(monkeypatch, limits, at_once):
    alive = [Node("a", "10.0.0.1", 2, 0), Node("b", "10.0.0.2", 3, 0)]
    monkeypatch.setattr("study.nodes.capacity.alive_nodes", lambda: alive)
    assert Capacity(Resources(1, 0), **limits)() == at_once


def test_without_a_node_one_trial_waits_for_it(monkeypatch):
    monkeypatch.setattr("study.nodes.capacity.alive_nodes", list)
    assert Capacity(Resources(1, 0))() == 1
