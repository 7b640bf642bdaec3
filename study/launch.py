"""python -m study.launch --space gradnorm: one study, on a laptop or on a cluster."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection

from search_spaces import SPACES
from search_spaces.space import SearchSpace, spoken
from study.config import StudyConfig, said_in
from study.plan import StudyPlan, describe
from study.sentences import names_of
from trainables import command_line
from trainables.errors import InputError
from trainables.registry import installed, resolve

SUGGESTIONS_SHOWN = 5


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0: done; 1: no trial succeeded, or the tracking server refused a part of the study; 2: bad input, nothing was
    started; 128 + n: stopped by signal n, to be resumed.
    """
    said = said_in(sys.argv[1:] if arguments is None else arguments)
    return command_line.run(StudyConfig, "python -m study.launch", lambda config: launch(config, said), arguments)


def launch(config: StudyConfig, said: Collection[str]) -> int:
    """Do what `config` says; returns the exit status. `said` are the fields that the command line names."""
    # Imported late, here and in what is called: Ray, MLflow and torch take seconds, and help and bad input need none.
    if config.list_all:
        print_registries()
        return 0
    from study.planning import make_plan

    plan = make_plan(config, said)
    if config.dry_run:
        print_plan(plan)
        return 0
    from study.console import Console
    from study.runner import check_cluster, run_study

    return check_cluster(plan, Console()) if config.check else run_study(plan, Console())


def print_registries() -> None:
    """Show the spaces and the data sets."""
    from trainables.data.sources import PARAMETERISED, SOURCES

    print("spaces (--space):")
    for name in {**SPACES, **installed("space")}:
        try:
            space = resolve("space", name, SPACES, SearchSpace)  # type: ignore[type-abstract]
        except InputError as error:  # of an installed package
            print(f"  {name:<17}{error}")
            continue
        print(f"  {name:<17}{space.description}")
        for scale_name in space.scales:
            at_scale = space(scale_name)
            datasets = names_of(at_scale.datasets or (at_scale.scale.dataset,), "data sets")
            print(f"    {scale_name:<15}{at_scale.num_trials} trials of {spoken(at_scale.scale.rounds)} on {datasets}")
    print("data sets (--dataset):")
    for name, source in SOURCES.items():
        print(f"  {name:<17}{source.description}, {'x'.join(map(str, source.shape))}")
    for form, description in PARAMETERISED.items():
        print(f"  {form:<17}{description}")


def print_plan(plan: StudyPlan) -> None:
    """Show the resolved study and the configurations of its first trials."""
    from optuna.storages import InMemoryStorage

    from study.optuna_storage import FIRST_TRIAL, ask, create_study
    from study.trial_specs import first_trials, method_config, method_name

    print(json.dumps(describe(plan), indent=2))
    for note in plan.earlier.notes:
        print(note)
    study = create_study(plan.name, InMemoryStorage(), plan.directions, first_trials(plan), plan.earlier.trials)
    shown = min(SUGGESTIONS_SHOWN, plan.trials)
    print(f"the first {shown} configurations of {', '.join(plan.space.method_names)}:")
    for _ in range(shown):
        trial = ask(study, plan.sampler, plan.seed)
        suggestion = plan.space.suggest(trial)
        config = method_config(plan, trial.number, suggestion)
        of_method = f" of {method_name(plan.space, suggestion)}" if plan.space.methods else ""
        print(f"trial {trial.number}{of_method} ({trial.user_attrs.get(FIRST_TRIAL, 'suggested')}):")
        print(f"  {json.dumps(config)}")


if __name__ == "__main__":
    sys.exit(main())
