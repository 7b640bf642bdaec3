from __future__ import annotations

import pytest

from study.config import StudyConfig
from study.nodes.capacity import Node, check_fits
from study.plan import StudyPlan
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
    assert Node("id", "10.0.0.1", *node).fits(*trial) == fits


def plan_for(tmp_path, **settings):
    return StudyPlan.of(StudyConfig(space="gradnorm", scale="smoke", storage_dir=tmp_path, **settings))


def test_a_trial_has_to_fit_one_node_not_all_of_them_together(tmp_path):
    nodes = [Node("a", "10.0.0.1", 16, 0), Node("b", "10.0.0.2", 4, 2), Node("c", "10.0.0.3", 4, 2)]
    check_fits(plan_for(tmp_path, gpus_per_trial=2, cpus_per_trial=4), nodes)
    check_fits(plan_for(tmp_path, gpus_per_trial=0, cpus_per_trial=16), nodes)
    for settings in ({"gpus_per_trial": 4}, {"cpus_per_trial": 20}, {"gpus_per_trial": 1, "cpus_per_trial": 8}):
        with pytest.raises(InputError, match=r"no node has as many, not even 10\.0\.0\.2 \(4 CPUs, 2 GPUs\)"):
            check_fits(plan_for(tmp_path, **settings), nodes)
