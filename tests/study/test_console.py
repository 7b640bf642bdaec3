"""What a study prints at its end about claims."""

from __future__ import annotations

import os
import sys

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState, create_trial

from study.config import StudyConfig
from study.console import Console
from study.optuna_storage import METRICS
from study.planning import make_plan
from study.trials import FAILURE, PROCESS_LOST
from study.verdicts import judge_all
from trainables.repetitions import PER_SEED

MODELS = {"batch_norm": CategoricalDistribution(("both", "generator")), "depth": CategoricalDistribution((0, 1, 2, 3))}


def ended(space, depth, state=TrialState.COMPLETE, **attributes):
    """A trial without BatchNorm in the discriminator."""
    params = {"batch_norm": "generator", "depth": depth}
    value = 1.0 if state == TrialState.COMPLETE else None
    return create_trial(state=state, value=value, params=params, distributions=MODELS, user_attrs=attributes)


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [("the loss is nan", "1 supported"), (PROCESS_LOST, "0 supported")],
    ids=["diverged", "killed"],
)
def test_trials_that_diverge_count_as_worst_in_claims_and_killed_ones_do_not(reason, verdict, tmp_path, capsys):
    plan = make_plan(StudyConfig(space="table51_cifar10", scale="smoke", storage_dir=tmp_path))
    study = optuna.create_study(direction="maximize")
    study.add_trials([ended(plan.space, 0, TrialState.FAIL, **{FAILURE: reason}) for _ in range(4)])
    seeds = [{"is_lenet_best": score} for score in (5.1, 5.3, 4.9)]
    study.add_trials([ended(plan.space, 1, **{PER_SEED: seeds}), ended(plan.space, 1, **{METRICS: seeds[0]})])
    Console().print_claims(plan, judge_all(plan, study, {}))
    shown = capsys.readouterr().out
    assert f"claims, each for itself: {verdict}, 0 contradicted" in shown


def test_a_study_goes_on_when_nobody_reads_its_screen_any_more(monkeypatch):
    """As where it was piped into another program, which has ended."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        console = Console()
        for number in range(3):
            console.print(f"trial {number}")
            console.warn("a warning")
        print("and what others print", flush=True)
