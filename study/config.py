"""What the command line says, and whether it makes sense."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import tyro

from search_spaces import SPACES, SearchSpace
from trainables.data import SOURCES
from trainables.errors import InputError, lookup


@dataclass(frozen=True)
class StudyConfig:
    """Run a distributed hyperparameter study of a generative image model."""

    space: str = "gradnorm"
    """The search space, as `--list` shows them."""
    scale: str = "laptop"
    """smoke (seconds), laptop (minutes on two cores) or paper (the document's settings, GPUs)."""
    dataset: str | None = None
    """Train on this data set instead of the scale's own."""
    name: str | None = None
    """The study's name; by default the space, the scale and the time."""
    trials: int | None = None
    """How many trials, instead of the scale's own number."""
    max_concurrent: int | None = None
    """How many trials at once; by default as many as the cluster's CPUs and GPUs allow."""
    seed: int = 0
    """Seeds the sampler; trial n trains with seed + n unless the space chooses its seed."""
    storage_dir: Path = Path("outputs")
    """The one folder that everything is written to."""
    tracking_uri: str | None = None
    """MLflow's tracking server; by default a SQLite file in the storage folder."""
    cpus_per_trial: float = 1.0
    """CPUs of one trial, and its number of threads."""
    gpus_per_trial: float | None = None
    """GPUs of one trial, instead of the scale's own number; fractions share a GPU."""
    address: str | None = None
    """Join the Ray cluster at this address instead of starting one here."""
    dry_run: bool = False
    """Show the study and the first five suggested configurations, start nothing."""
    list_all: Annotated[bool, tyro.conf.arg(name="list")] = False
    """Show the spaces, their scales, and the data sets."""

    def validate(self) -> SearchSpace:
        """The search space at its scale; raises `InputError` for the first setting that makes no sense."""
        space = lookup("space", self.space, SPACES)(self.scale)
        lookup("data set", self.dataset or space.scale.dataset, SOURCES)
        for flag, value, smallest in (
            ("--trials", self.trials, 1),
            ("--max-concurrent", self.max_concurrent, 1),
            ("--seed", self.seed, 0),
            ("--gpus-per-trial", self.gpus_per_trial, 0),
        ):
            if value is not None and value < smallest:
                raise InputError(f"{flag} is {value}: it must be at least {smallest}.")
        if self.cpus_per_trial <= 0:
            raise InputError(f"--cpus-per-trial is {self.cpus_per_trial}: it must be above 0.")
        if self.name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", self.name):
            raise InputError(f"--name {self.name!r}: use up to 100 letters, digits, '.', '_' and '-'.")
        return space

    def study_name(self) -> str:
        """`name`, or one made of the space, the scale and the time."""
        return self.name or f"{self.space}-{self.scale}-{datetime.now():%Y%m%d-%H%M%S}"
