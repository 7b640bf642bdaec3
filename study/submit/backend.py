"""What is submitted to a cluster, and what a backend has to do with it."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Set
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from study.config import AUTO, StudyConfig, to_arguments
from study.plan import StudyPlan
from trainables.errors import InputError

TEMPLATES = Environment(
    loader=PackageLoader("study.submit"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
"""The templates in `study/submit/templates`; they quote nothing, whoever renders one does."""


JOB_STOP_SECONDS = 60
"""How long Ray waits for a study that it has asked to stop. Its own 3 seconds are too short for the latest metrics."""

Action = Literal["submit", "status", "follow", "stop"]


@dataclass(frozen=True)
class ClusterOptions:
    """Where the study is to run. A backend takes some of these and refuses the others."""

    nodes: int | None = None
    """slurm, kuberay: how many nodes (default 1)."""
    cpus_per_node: int | None = None
    """slurm, kuberay: CPUs of each node; by default as many as the trials on its GPUs need."""
    gpus_per_node: int | None = None
    """slurm, kuberay: GPUs of each node (default 0)."""
    memory_per_node: str | None = None
    """kuberay: memory of each node (default 16Gi)."""
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
    working_dir: Path | None = None
    """ray-job: upload this checkout of the project; by default it has to be installed on the cluster."""
    no_wait: bool = False
    """ray-job: do not follow the job to its end."""
    image: str | None = None
    """kuberay: the image of all pods, with the project installed."""
    namespace: str | None = None
    """kuberay: the namespace; by default that of kubectl."""
    claim: str | None = None
    """kuberay: the volume claim that the storage folder is on."""
    claim_size: str | None = None
    """kuberay: make the claim, with so much room, as in 100Gi."""
    storage_class: str | None = None
    """kuberay: the storage class of a claim that is made; several nodes must be able to write to it."""
    token_secret: str | None = None
    """kuberay: the secret whose key auth_token is Ray's token; by default each cluster gets a token of its own."""
    credentials_secret: str | None = None
    """kuberay: a secret whose keys are environment variables of the driver, such as MLFLOW_TRACKING_PASSWORD and
    PGPASSWORD."""
    node_selector: tuple[str, ...] | None = None
    """kuberay: labels that the workers' nodes must have, as KEY=VALUE."""


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
        _check_counts(options)
        if config.check or config.list_all:
            raise InputError("--check and --list are for study.launch: leave them out.")
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

    def launch_arguments(self, address: str | None = None) -> list[str]:
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

    def manage(self, action: Action, study: StudyConfig, options: ClusterOptions) -> int:
        """Do what `action` says with what was submitted for the study `study.name`; returns the exit status."""
        raise InputError(f"--action {action} is for --backend ray-job: docs/cluster.md says what others have instead.")


def refuse_foreign(name: str, backend: Backend, options: ClusterOptions) -> None:
    """Raise `InputError` for the first option that is another backend's."""
    for field in fields(options):
        if getattr(options, field.name) != field.default and field.name not in backend.options:
            raise InputError(f"--{field.name.replace('_', '-')} is not an option of --backend {name}: leave it out.")


def check_node(plan: StudyPlan, cpus: float, gpus: float) -> None:
    """Raise `InputError` where no trial would fit a node with so many CPUs and GPUs."""
    if plan.cpus_per_trial > cpus or plan.gpus_per_trial > gpus:
        raise InputError(
            f"a trial asks for {plan.cpus_per_trial:g} CPUs and {plan.gpus_per_trial:g} GPUs, a node would have "
            f"{cpus:g} and {gpus:g}: raise --cpus-per-node and --gpus-per-node, or lower --cpus-per-trial and "
            "--gpus-per-trial."
        )


def cpus_for(plan: StudyPlan, gpus: int) -> int:
    """The CPUs of the trials that share a node's GPUs."""
    if not plan.gpus_per_trial:
        raise InputError("say how many CPUs each node gives to trials with --cpus-per-node.")
    return math.ceil(gpus / plan.gpus_per_trial * plan.cpus_per_trial)


def _check_counts(options: ClusterOptions) -> None:
    for flag, value, smallest in (
        ("--nodes", options.nodes, 1),
        ("--cpus-per-node", options.cpus_per_node, 1),
        ("--gpus-per-node", options.gpus_per_node, 0),
    ):
        if value is not None and value < smallest:
            raise InputError(f"{flag} is {value}: it must be at least {smallest}.")
