"""What is submitted to a cluster, and what a backend has to do with it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Set
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

from jinja2 import Environment, PackageLoader, StrictUndefined

from study.config import AUTO, StudyConfig, to_arguments
from study.plan import StudyPlan
from trainables.errors import InputError

TEMPLATES = Environment(
    loader=PackageLoader("study.cluster"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
"""The templates in `study/cluster/templates`; they quote nothing, whoever renders one does."""


@dataclass(frozen=True)
class ClusterOptions:
    """Where the study is to run. A backend takes some of these and refuses the others."""

    nodes: int | None = None
    """slurm: how many nodes (default 1)."""
    cpus_per_node: int | None = None
    """slurm: CPUs of each node; by default as many as its trials need, or one."""
    gpus_per_node: int | None = None
    """slurm: GPUs of each node (default 0)."""
    setup: Path | None = None
    """slurm: a shell script that prepares the environment of the job, as `module load` and `source .venv/bin/activate`
    do; it is sourced on the first node, and its environment goes to the others."""
    partition: str | None = None
    """slurm: the partition."""
    time: str | None = None
    """slurm: the time limit of one run of the job, as Slurm writes it: 30, 8:00:00, 2-12. The study may take longer."""
    account: str | None = None
    """slurm: the account that pays."""
    qos: str | None = None
    """slurm: the quality of service."""
    constraint: str | None = None
    """slurm: features that the nodes must have."""
    container: str | None = None
    """slurm: run in this image: a .sif file by Apptainer, anything else (.sqsh, registry#name) by Pyxis."""


@dataclass(frozen=True)
class Submission:
    """A checked study and where it goes."""

    plan: StudyPlan
    config: StudyConfig
    """As it was asked for, with a name and an absolute storage folder."""
    options: ClusterOptions

    @classmethod
    def of(cls, config: StudyConfig, options: ClusterOptions) -> Submission:
        """Check the study as `study.launch` does; raises `InputError`. A study without a name gets one."""
        if config.resume not in (None, AUTO):
            raise InputError(
                f"a submitted study goes on where it is by itself: say --name {config.resume} instead of --resume."
            )
        for flag, url in (("--optuna-storage", config.optuna_storage), ("--tracking-uri", config.tracking_uri)):
            if url is not None and re.search(r"://[^/@]*:[^/@]*@", url):
                raise InputError(
                    f"{flag} holds a password, which others could read on the cluster: leave it out (docs/cluster.md, "
                    '"Passwords").'
                )
        plan = StudyPlan.of(replace(config, resume=AUTO if config.name else None))
        weights = config.inception_weights and config.inception_weights.resolve()
        named = replace(config, name=plan.name, storage_dir=plan.storage, inception_weights=weights)
        return cls(plan, named, options)

    @property
    def name(self) -> str:
        """The study's name."""
        return self.plan.name

    def launch_arguments(self, address: str) -> list[str]:
        """The arguments of `python -m study.launch` on the cluster, whose Ray is at `address`."""
        there = replace(self.config, resume=AUTO, address=address, dry_run=False, list_all=False)
        return to_arguments(there)


class Backend(ABC):
    """One way to put a study on a cluster; raises `InputError` where that cannot work, with nothing submitted."""

    options: ClassVar[Set[str]]
    """The fields of `ClusterOptions` that it takes."""

    @abstractmethod
    def render(self, submission: Submission) -> str:
        """What would be submitted, as `--dry-run` prints it."""

    @abstractmethod
    def submit(self, submission: Submission) -> int:
        """Submit it and say how to follow it; returns the exit status."""


def refuse_foreign(name: str, backend: Backend, options: ClusterOptions) -> None:
    """Raise `InputError` for the first option that is another backend's."""
    for field in fields(options):
        if getattr(options, field.name) is not None and field.name not in backend.options:
            raise InputError(f"--{field.name.replace('_', '-')} is not an option of --backend {name}: leave it out.")
