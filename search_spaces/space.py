"""What is searched: the contract of a search space."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from search_spaces.claim import Claim
from trainables.errors import lookup
from trainables.measures.base import MeasureSettings

if TYPE_CHECKING:
    from optuna.trial import BaseTrial


@dataclass(frozen=True)
class Epochs:
    """A budget in passes through the training set; the number of rounds is known with the data and the batch size."""

    number: int

    def __str__(self) -> str:
        return f"{self.number} epoch{'s' if self.number > 1 else ''}"


Budget = int | Epochs
"""A number of the method's rounds, or epochs. A round takes one batch of real examples."""


def rounds_of(budget: Budget, length: int, batch_size: int) -> int:
    """A budget in rounds, on a training set of `length` examples; the last batch of an epoch is filled up."""
    return budget.number * math.ceil(length / batch_size) if isinstance(budget, Epochs) else budget


def spoken(budget: Budget) -> str:
    """A budget as a person reads it: "40 epochs"."""
    return str(budget) if isinstance(budget, Epochs) else f"{budget} rounds"


GRACE = 1 / 3
"""Early stopping begins at this share of the budget, unless a scale knows better."""


@dataclass(frozen=True)
class Scale:
    """How large a study is: what is fixed, what one trial and the whole study may spend, how it is measured."""

    dataset: str
    rounds: Budget
    evaluate_every: Budget
    measures: tuple[MeasureSettings, ...]
    trials: int = 0
    """The number of trials of a search; a grid has a trial for each point."""
    seeds: int = 1
    """How many times each trial trains its settings, each time with another seed."""
    evaluate_at: tuple[int, ...] = ()
    """Rounds after which there is an evaluation besides the regular ones."""
    grace: float = GRACE
    """The share of its budget that a trial may use before it can be stopped early."""
    least_progress: float = 0.0
    """Early stopping ends a trial that has then not gone this share of the way from noise to test images. It spares the
    first trials, which have few others to be compared with, their whole budget. 0: it asks for none."""
    constraints: tuple[str, ...] = ()
    """What a trial must keep to be ranked, as `--constraints` says it, on the scale's own data."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the method that are not searched and differ from its defaults."""
    gpus_per_trial: float = 0.0


@dataclass(frozen=True)
class Suggestion:
    """What a trial is to run: settings of the method, and, where trials of the space name their own, more."""

    config: Mapping[str, Any]
    dataset: str | None = None
    """One of the space's `datasets`."""
    method: str | None = None
    """One of the space's `methods`."""
    pace: float = 1.0
    """Rounds of this trial for each round of the study's budget, where the rounds of methods cost unequally much."""


@dataclass(frozen=True)
class FirstTrial:
    """Settings that are tried before the sampler is asked: Optuna's parameters, and what was published for them.

    `published` maps metrics, by their full name, to the published values. First trials that differ in chance alone,
    such as which labels are drawn, have the same `setting`; by default the setting has the trial's name.
    """

    name: str
    params: Mapping[str, Any]
    published: Mapping[str, float] = field(default_factory=dict)
    setting: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "setting", self.setting or self.name)


class SearchSpace(ABC):
    """A search space at one of its scales.

    Every space has the scales `smoke` (seconds, for tests), `laptop` (minutes on two cores, data that needs no
    download) and `paper` (the document's settings, on GPUs).
    """

    name: ClassVar[str]
    description: ClassVar[str]
    method: ClassVar[str]
    """A key of `METHODS`, an entry point, or `module:Class`. A space with `methods` has none."""
    methods: ClassVar[tuple[str, ...]] = ()
    """Where not empty: each suggestion names one of these. All know the settings that `scale.fixed` has."""
    objectives: ClassVar[tuple[str, ...]] = ("fid_best",)
    """Metrics that are optimised, by family; the measures give the full name and the direction."""
    scales: ClassVar[Mapping[str, Scale]]
    datasets: tuple[str, ...] = ()
    """Where not empty: each suggestion names one of these."""
    exhaustive: ClassVar[bool] = False
    """Whether there are no trials but the first ones. Then all train with the same seeds."""

    def __init__(self, scale_name: str, scale: Scale | None = None) -> None:
        self.scale_name = scale_name
        self.scale: Scale = lookup("scale", scale_name, self.scales) if scale is None else scale

    @property
    def num_trials(self) -> int:
        """How many trials a study has."""
        return self.scale.trials

    @property
    def method_names(self) -> tuple[str, ...]:
        """The methods of the space: one, or those that its suggestions name."""
        return self.methods or (self.method,)

    @abstractmethod
    def suggest(self, trial: BaseTrial) -> Suggestion:
        """The settings of a trial, define-by-run; `scale.fixed` and the seed are added by the study."""

    def first_trials(self) -> list[FirstTrial]:
        """What is enqueued before the sampler is asked, at this scale."""
        return []

    def claims(self) -> list[Claim]:
        """The document's claims about the parameters of this space; a study prints its verdicts at the end."""
        return []


def weight_or_off(trial: BaseTrial, name: str, low: float, high: float) -> float:
    """A loss weight on a log scale from `low` to `high`, or 0: the decade below `low` means "off".

    So "off" is next to the small weights, and a sampler that models the scale needs no switch beside it. A first trial
    may have a weight from outside the range, which stands as it is.
    """
    value = trial.suggest_float(name, off(low), high, log=True)
    return 0.0 if off(low) <= value < low else value


def off(low: float) -> float:
    """The parameter that stands for "off" where the smallest weight is `low`."""
    return low / 10
