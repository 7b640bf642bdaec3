"""What a new study knows from others (`--after`): their trials, or their best settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search_spaces.space import FirstTrial
from study.constraints import violations
from trainables.errors import InputError

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from study.plan import StudyPlan

BEST_TRIED = 3
"""How many settings of a study are tried whose numbers cannot be compared."""


@dataclass(frozen=True)
class Earlier:
    """What other studies leave to a new one."""

    trials: tuple[FrozenTrial, ...] = ()
    """Ended trials of the same protocol and budget, as they are; each says where it is from."""
    first: tuple[FirstTrial, ...] = ()
    """Settings that are tried first."""
    notes: tuple[str, ...] = ()
    """What is taken from each study: sentences for the screen."""


def learn_from(plan: StudyPlan, names: Sequence[str], plan_of: Callable[[str], StudyPlan]) -> Earlier:
    """What `plan` takes from the studies of these names, whose plans `plan_of` makes.

    Raises `InputError` for one of another space or with another objective, and for one without a ranked trial.
    """
    if plan.space.exhaustive:
        raise InputError("--after: every setting of a grid is trained once, and nothing is searched: leave it out.")
    taken = [_taken(plan, plan_of(name)) for name in names]
    return Earlier(*(tuple(each for one in taken for each in getattr(one, kind)) for kind in Earlier.__annotations__))


def _taken(plan: StudyPlan, other: StudyPlan) -> Earlier:
    from optuna.trial import TrialState

    from study.optuna_storage import load, ranked, trained

    if plan.space.name != other.space.name:
        raise InputError(f"--after {other.name}: that study searched space {other.space.name!r}, name another.")
    if plan.objectives != other.objectives:
        raise InputError(
            f"--after {other.name}: that study was ranked by {' and '.join(other.objectives)}, name one with the same "
            "--objectives."
        )
    study = load(other.optuna_storage, other.name)
    best = ranked(study)[:BEST_TRIED]
    if not best:
        raise InputError(f"--after {other.name}: that study has no finished trial, wait for one or leave it out.")
    if differing := _differing(plan, other):
        first = [FirstTrial(f"trial {trial.number} of {other.name}", trial.params) for trial in best]
        numbers = ", ".join(str(trial.number) for trial in best)
        whose = f"its best settings (trials {numbers}) are tried first"
        note = f"after {other.name}, which has another {differing}: {whose}"
        return Earlier((), tuple(first), (note,))
    trials = [_inherited(plan, other, trial) for trial in trained(study, TrialState.COMPLETE, TrialState.PRUNED)]
    return Earlier(tuple(trials), (), (f"after {other.name}: its {len(trials)} ended trials are known to the search",))


def _inherited(plan: StudyPlan, other: StudyPlan, trial: FrozenTrial) -> FrozenTrial:
    """A trial of another study as one of this, by whose constraints it is judged."""
    from optuna.trial import create_trial

    from study.optuna_storage import INHERITED, METRICS

    made = create_trial(
        state=trial.state,
        values=trial.values,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={**trial.user_attrs, INHERITED: f"{trial.number} of {other.name}"},
        intermediate_values=trial.intermediate_values,
        constraints=violations(plan.constraints, trial.user_attrs.get(METRICS, {})),
    )
    made.datetime_start, made.datetime_complete = trial.datetime_start, trial.datetime_complete
    return made


def _differing(plan: StudyPlan, other: StudyPlan) -> str:
    """What makes the numbers of two studies incomparable; nothing if they may be ranked together."""
    kinds = {
        "data set": (plan.datasets, other.datasets),
        "scale": (plan.space.scale_name, other.space.scale_name),
        "protocol": (plan.protocols, other.protocols),
        "number of rounds": ((plan.budget, plan.evaluated_after), (other.budget, other.evaluated_after)),
        "number of seeds": (plan.seeds, other.seeds),
        "setting of the method": (plan.fixed, other.fixed),
        "file of the space": tuple(each.outside and each.outside.sha256 for each in (plan, other)),
    }
    return next((kind for kind, (here, there) in kinds.items() if here != there), "")
