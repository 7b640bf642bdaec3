"""A study whose settings have been checked, before anything is started or written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search_spaces.claim import Claim
from search_spaces.space import Budget, Epochs, SearchSpace
from study.config import StudyConfig, to_json
from study.constraints import Constraint
from study.earlier import Earlier
from study.folder import StudyFolder
from study.limits import Limits
from study.nodes.capacity import Resources
from study.options import Placement
from study.outside import OutsideFile
from trainables.measures.base import Direction
from trainables.precision import Precision
from trainables.protocol import Protocol


@dataclass(frozen=True)
class StudyPlan:
    """What will be run, and where everything goes: a record, made by `study.planning.make_plan`."""

    name: str
    config: StudyConfig
    """What was asked for."""
    is_resumed: bool
    """Whether the study was started before."""
    space: SearchSpace
    outside: OutsideFile | None
    """The file of a space from outside the project."""
    fixed: Mapping[str, Any]
    """Settings of the method that all trials share."""
    protocols: Mapping[str, Protocol]
    """By data set, as far as they are known before anything is prepared."""
    objectives: tuple[str, ...]
    """Full names; the first decides which weights are the best."""
    directions: tuple[Direction, ...]
    constraints: tuple[Constraint, ...]
    """What a trial must keep to be ranked."""
    claims: tuple[Claim, ...]
    trials: int
    seeds: int
    """How many times a trial trains its configuration."""
    budget: Budget
    """What a trial may spend on each seed."""
    evaluated_after: Budget
    sampler: str
    scheduler: str
    earlier: Earlier
    """What a new study knows from others."""
    limits: Limits
    """Where the study ends before all its trials are done."""
    resources: Resources
    """What one trial asks for."""
    storage: Path
    """The one folder that everything is written to, absolute."""
    folder: StudyFolder
    cache_dir: Path
    """Data sets and classifiers, shared by all studies."""
    optuna_storage: str
    """A file, or the URL of a database."""
    tracking_uri: str
    """MLflow's server or file."""
    artifacts: Path | None
    """Where MLflow keeps pictures; None where its server decides."""

    @property
    def rounds(self) -> int:
        """The budget of a trial; known once the data is prepared (`study.trial_specs.in_rounds`)."""
        return _known(self.budget)

    @property
    def evaluate_every(self) -> int:
        """Rounds between two evaluations, at most `rounds`; known once the data is prepared."""
        return min(_known(self.evaluated_after), self.rounds)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets trained on; more than one where the trials of the space name their own."""
        return tuple(self.protocols)

    @property
    def seed(self) -> int:
        return self.config.seed

    @property
    def precision(self) -> Precision:
        """In which layers multiply in training."""
        return self.config.precision or ("tf32" if self.resources.gpus > 0 else "fp32")

    @property
    def max_concurrent(self) -> int | None:
        return self.config.max_concurrent

    @property
    def placement(self) -> Placement:
        return self.config.placement

    @property
    def address(self) -> str | None:
        return self.config.address


def _known(budget: Budget) -> int:
    if isinstance(budget, Epochs):
        raise ValueError(f"the number of rounds of {budget} is known when the data is prepared.")
    return budget


def describe(plan: StudyPlan) -> dict[str, Any]:
    """Everything that is the same for all trials, JSON."""
    return {
        "name": plan.name,
        "space": plan.space.name,
        "method": ", ".join(plan.space.method_names),
        "objectives": list(plan.objectives),
        "scale": plan.space.scale_name,
        "dataset": ", ".join(plan.datasets),
        "trials": plan.trials,
        "sampler": plan.sampler,
        "scheduler": plan.scheduler,
        "seed": plan.seed,
        "seeds": plan.seeds,
        "cpus_per_trial": plan.resources.cpus,
        "gpus_per_trial": plan.resources.gpus,
        "precision": plan.precision,
        "folder": str(plan.folder.path),
        **{
            name: str(budget) if isinstance(budget, Epochs) else budget
            for name, budget in (("rounds", plan.budget), ("evaluate_every", plan.evaluated_after))
        },
        "fixed": dict(plan.fixed),
        "measures": [settings.model_dump(mode="json") for settings in next(iter(plan.protocols.values())).measures],
        **({"constraints": [each.text for each in plan.constraints]} if plan.constraints else {}),
        **({} if plan.config.after is None else {"after": plan.config.after}),
        **({} if plan.outside is None else {"outside": f"{plan.outside.path.name} {plan.outside.sha256}"}),
    }


def study_json(plan: StudyPlan) -> dict[str, Any]:
    """The content of `study.json`: enough to resume the study."""
    kept = None if plan.outside is None else {"file": plan.outside.path.name, "sha256": plan.outside.sha256}
    return {"config": to_json(plan.config, plan.name), "outside": kept, "study": describe(plan)}
