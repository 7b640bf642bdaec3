"""What is searched: the contract of a search space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from optuna.trial import BaseTrial

from trainables.errors import lookup
from trainables.extractors.by_name import ExtractorName


@dataclass(frozen=True)
class Scale:
    """How large a study is: what is fixed, and what one trial and the whole study may spend."""

    dataset: str
    trials: int
    rounds: int
    evaluate_every: int
    num_samples: int
    first_evaluation: int | None = None
    """Rounds before an evaluation of its own, where the first regular one would be late."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the method that are not searched and differ from its defaults."""
    features: ExtractorName = "lenet"
    """What the metrics of images take their features from: the data set's own classifier, or Inception."""
    ood_sets: tuple[str, ...] = ("photo_patches", "scrambled", "fashion_mnist")
    """Sets for AUROC; one that would have to be downloaded is left out."""
    gpus_per_trial: float = 0.0


@dataclass(frozen=True)
class FirstTrial:
    """Settings that are tried before the sampler is asked: Optuna's parameters, and what was published for them."""

    name: str
    params: Mapping[str, Any]
    published: Mapping[str, float] = field(default_factory=dict)


Group = Callable[[Mapping[str, Any]], bool]
"""Which trials are meant, by their Optuna parameters."""


@dataclass(frozen=True)
class Claim:
    """What a document says of its settings: `metric` is lower in one group of trials than in another.

    One of the two may be a number instead.
    """

    text: str
    source: str
    """The document and its section."""
    metric: str
    lower: Group | float
    higher: Group | float


class SearchSpace(ABC):
    """A search space at one of its scales.

    Every space has the scales `smoke` (seconds, for tests), `laptop` (minutes on two cores, data that needs no
    download) and `paper` (the document's settings, on GPUs).
    """

    name: ClassVar[str]
    description: ClassVar[str]
    method: ClassVar[str]
    objectives: ClassVar[tuple[str, ...]] = ("fid_lenet_best",)
    """Metrics of a trial that are optimised, in the direction that the metric has.

    In these and in claims, `lenet` stands for the feature extractor of the study.
    """
    scales: ClassVar[Mapping[str, Scale]]
    datasets: ClassVar[tuple[str, ...]] = ()
    """Where not empty: `suggest` names one of these data sets as the setting `dataset`, for each trial its own."""
    exhaustive: ClassVar[bool] = False
    """Whether the first trials are all there is."""

    def __init__(self, scale: str) -> None:
        self.scale_name = scale
        self.scale: Scale = lookup("scale", scale, self.scales)

    @abstractmethod
    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        """The settings of a trial for the method's config, define-by-run; `scale.fixed` is added by the study."""

    @abstractmethod
    def first_trials(self) -> list[FirstTrial]:
        """What is enqueued before the sampler is asked, at this scale."""

    def claims(self) -> list[Claim]:
        """What the document says about the parameters of this space; a study prints at its end what its trials say."""
        return []


def where(**wanted: Any) -> Group:
    """The trials whose Optuna parameters have these values."""
    return lambda params: all(params.get(name) == value for name, value in wanted.items())


def weight_or_off(trial: BaseTrial, name: str, low: float, high: float) -> float:
    """A loss weight on a log scale from `low` to `high`, or 0: what falls below `low`, by up to a decade, is off.

    So "off" is where small weights lead to, and a sampler that models the scale needs no switch beside it.
    """
    value = trial.suggest_float(name, off(low), high, log=True)
    return value if value >= low else 0.0


def off(low: float) -> float:
    """The parameter that stands for "off" where the smallest weight is `low`."""
    return low / 10
