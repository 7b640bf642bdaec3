"""A back end: one way to put a study on a cluster."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Generic

from jinja2 import Environment, PackageLoader, StrictUndefined

from study.config import StudyConfig
from study.nodes.capacity import Node, Resources
from study.submit.submission import REFUSED, Options, Submission
from trainables.errors import InputError

TEMPLATES = Environment(
    loader=PackageLoader("study.submit"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
"""The templates in `study/submit/templates`. They quote nothing: whoever renders one quotes its values."""

JOB_STOP_SECONDS = 60
"""How long Ray waits for a study that it has asked to stop. Its own 3 seconds are too short for the latest metrics."""


class Backend(ABC, Generic[Options]):
    """One way to put a study on a cluster; where that cannot work, raises `InputError` and submits nothing."""

    options_class: ClassVar[type]
    """A dataclass of the options that only this back end has."""
    summary: ClassVar[str]
    """What it makes of a study: a line of the help."""
    refused: ClassVar[tuple[str, ...]] = REFUSED
    """Fields of a study's options that it does not take, which the help leaves out."""

    def run(self, study: StudyConfig, options: Options, said: Collection[str]) -> int:
        """Do what the command line says, which names the fields `said` of `study`; returns the exit status."""
        submission = Submission.of(study, options, said)
        if study.dry_run:
            print(self.render(submission), end="")
            return 0
        return self.submit(submission)

    @abstractmethod
    def render(self, submission: Submission[Options]) -> str:
        """What would be submitted, as `--dry-run` prints it."""

    @abstractmethod
    def submit(self, submission: Submission[Options]) -> int:
        """Submit it and say how to follow it; returns the exit status."""


@dataclass(frozen=True)
class NodeOptions:
    """The nodes of a Ray cluster that is made for one study."""

    cpus_per_node: int | None = None
    """CPUs of each node; by default as many as the trials on its GPUs need."""
    gpus_per_node: int = 0
    """GPUs of each node."""

    def of_a_node(self, trial: Resources) -> tuple[int, int]:
        """The CPUs and GPUs that each node gives to trials; raises `InputError` where no trial fits."""
        for flag, value, smallest in (
            ("--cpus-per-node", self.cpus_per_node, 1),
            ("--gpus-per-node", self.gpus_per_node, 0),
        ):
            if value is not None and value < smallest:
                raise InputError(f"{flag} is {value}: it must be at least {smallest}.")
        if self.cpus_per_node is None and not trial.gpus:
            raise InputError("say how many CPUs each node gives to trials with --cpus-per-node.")
        cpus = self.cpus_per_node or math.ceil(self.gpus_per_node / trial.gpus * trial.cpus)
        if not Node("", "", cpus, self.gpus_per_node).fits(trial):
            raise InputError(
                f"a trial asks for {trial}, a node would have {cpus} and {self.gpus_per_node}: raise --cpus-per-node "
                "and --gpus-per-node, or lower --cpus-per-trial and --gpus-per-trial."
            )
        return cpus, self.gpus_per_node


def flag(field: str) -> str:
    """How an option is written on the command line."""
    return f"--{field.replace('_', '-')}"
