"""python -m study.launch --space gradnorm: one study, on a laptop or on a cluster."""

from __future__ import annotations

import json
import sys

import optuna
import tyro

from search_spaces import SPACES
from study.config import StudyConfig
from study.plan import StudyPlan
from trainables.data.sources import PARAMETERISED, SOURCES
from trainables.errors import InputError

SUGGESTIONS_SHOWN = 5


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0: done; 1: no trial succeeded; 2: bad input, nothing was started; 128 + n: stopped by signal n, to be resumed.
    """
    config = tyro.cli(
        StudyConfig, prog="python -m study.launch", args=arguments, config=(tyro.conf.FlagCreatePairsOff,)
    )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if config.list_all:
            print_registries()
            return 0
        plan = StudyPlan.of(config)
        if config.dry_run:
            print_plan(plan)
            return 0
        # Imported late: Ray and MLflow take seconds that bad input should not cost.
        from study.console import Console
        from study.nodes.preflight import check_cluster
        from study.runner import run_study

        if config.check:
            return check_cluster(plan, Console())
        return run_study(plan, Console())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def print_registries() -> None:
    """Show what can be named on the command line."""
    print("spaces (--space):")
    for name, space in SPACES.items():
        print(f"  {name:<17}{space.description}")
        for scale_name, scale in space.scales.items():
            datasets = " and ".join(space.datasets or (scale.dataset,))
            print(f"    {scale_name:<15}{scale.trials} trials of {scale.rounds} rounds on {datasets}")
    print("data sets (--dataset):")
    for name, source in SOURCES.items():
        print(f"  {name:<17}{source.description}, {'x'.join(map(str, source.shape))}")
    for form, description in PARAMETERISED.items():
        print(f"  {form:<17}{description}")


def print_plan(plan: StudyPlan) -> None:
    """Show the resolved study and what its first trials would be told."""
    from study.searcher import FIRST_TRIAL, ask, create_study

    print(json.dumps(plan.describe(), indent=2))
    study = create_study(plan.name, optuna.storages.InMemoryStorage(), plan.space, plan.objectives)
    print(f"the first {min(SUGGESTIONS_SHOWN, plan.num_trials)} configurations of {plan.space.method}:")
    for _ in range(min(SUGGESTIONS_SHOWN, plan.num_trials)):
        trial = ask(study, plan.sampler, plan.seed)
        config = plan.method_config(trial)
        print(f"trial {trial.number} ({trial.user_attrs.get(FIRST_TRIAL, 'suggested')}):")
        print(f"  {json.dumps(config)}")


if __name__ == "__main__":
    sys.exit(main())
