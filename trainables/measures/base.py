"""The contract of a measure: one question asked of a trained method.

The settings of a measure say what it reports without data and without torch, so the driver can list and check
metrics at once. The measure itself runs where trials run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import torch

    from trainables.data.dataset import Dataset
    from trainables.measures.subject import Subject

Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class Metric:
    """Which direction of a metric is better, and whether the table at the end of a study shows it.

    With a `target`, the nearer to it the better: such a metric is no objective.
    """

    direction: Direction = "minimize"
    shown: bool = False
    target: float | None = None

    def loss(self, value: float) -> float:
        """The lower, the better: `value`, its distance to the target, or, where more is better, its negative."""
        if self.target is not None:
            return abs(value - self.target)
        return value if self.direction == "minimize" else -value


class MeasureSettings(BaseModel):
    """What the numbers of a measure depend on, besides the method. The settings are a part of the protocol.

    A field with `exclude=True` tells the driver how to prepare, and is not a part of the protocol.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: ClassVar[tuple[str, ...]] = ()
    """The names of the frames that the measure draws at each evaluation."""

    measure: str
    """The name of the measure: a key of `MEASURES`, an entry point, or `module:Class`."""
    optional: bool = False
    """Whether methods that lack the ability are trained without this measure, instead of being refused."""

    def metrics(self, dataset: str) -> dict[str, Metric]:
        """The metrics that are reported for a data set, by their full names. No data is needed."""
        raise NotImplementedError

    def families(self) -> dict[str, str]:
        """Short names of the metrics whose full names depend on the settings: `fid` -> `fid_lenet`."""
        return {}

    def check(self, dataset: str) -> None:
        """Raise `InputError` if a data set of this name cannot be measured. No data is opened."""


@dataclass(frozen=True)
class Measured:
    """The metrics of one evaluation, and `seen`, from which the same measure draws its pictures."""

    metrics: dict[str, float]
    seen: Any = None


@dataclass(frozen=True)
class Prepared:
    """The complete settings, and notes for the person who started the study, one sentence each."""

    settings: MeasureSettings
    notes: tuple[str, ...] = ()
    values: dict[str, float] = field(default_factory=dict)
    """Numbers that were found during the preparation, such as the accuracy of a classifier, by name."""


class Measure(ABC):
    """Asks one question of methods, on one data set; made once per process, used for many trials."""

    Settings: ClassVar[type[MeasureSettings]]
    needs: ClassVar[type]
    """The ability that a method must have (`trainables.methods.abilities`)."""

    @classmethod
    def prepare(cls, settings: Any, dataset: str, cache_dir: Path) -> Prepared:
        """Put into the cache what the measure reads, and complete the settings. For the driver: may download, train.

        The data set has been prepared before. Raises `InputError` if something is not available.
        """
        return Prepared(settings)

    @abstractmethod
    def __init__(self, settings: Any, dataset: Dataset, cache_dir: Path, device: torch.device) -> None:
        """Open what `prepare` has put into the cache."""

    @abstractmethod
    def __call__(self, subject: Subject) -> Measured:
        """Measure a method."""

    def references(self) -> dict[str, float]:
        """Reference values of this measure's metrics: the values of noise, real data or simple baselines."""
        return {}

    def of_new_samples(self, subject: Subject) -> dict[str, float]:
        """More metrics of the kept weights, at the end of a training: the samples of `subject` are new ones.

        A method may be evaluated by other samples than new ones (`ChoosesSamples`).
        """
        return {}

    def draw(self, measured: Measured, folder: Path) -> None:
        """Draw an evaluation into `folder`, over the pictures of an earlier one."""

    def draw_frame(self, measured: Measured, round_number: int, folder: Path) -> None:
        """Draw the evaluation after `round_number` rounds into `folder`, beside the frames of other rounds.

        `trainables.measures.frames.frame_path` names them. They are made at every evaluation, so they should be small:
        MLflow shows them over the rounds, several runs side by side.
        """

    def draw_training(self, frames: Path, folder: Path) -> None:
        """At the end of a training, draw all pictures that `draw_frame` has written to `frames` together."""
