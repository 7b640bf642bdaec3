"""What the command line says. What it does not say is None, and gets its default in `study.plan`."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from trainables.errors import InputError
from trainables.extractors.by_name import ExtractorName

FORMAT = 2
"""Raise when a study of an older version can no longer be resumed."""

AUTO = "auto"
"""`--resume auto`: for batch systems, which say the same command line until the study is done."""


Placement = Literal["spread", "pack"]


@dataclass(frozen=True)
class StudyConfig:
    """Run a distributed hyperparameter study of a generative image model."""

    space: str | None = None
    """The search space, as `--list` shows them."""
    scale: str | None = None
    """smoke (seconds), laptop (minutes on two cores; the default) or paper (the document's settings, GPUs)."""
    dataset: str | None = None
    """Train on this data set instead of the scale's own: a name that `--list` shows, NAME:CLASS or folder:PATH."""
    name: str | None = None
    """The study's name; by default the space, the scale and the time."""
    trials: int | None = None
    """How many trials in all, instead of the scale's own number."""
    seeds: int | None = None
    """Train each configuration this many times and report the mean and the standard deviation (default 1)."""
    objectives: tuple[str, ...] | None = None
    """Metrics to optimise instead of the space's own; with several, the Pareto front is searched."""
    features: ExtractorName | None = None
    """Measure images by the features of Inception, or of a classifier trained on the data set (lenet); by default what
    the scale has: Inception where a document's settings are repeated."""
    inception_weights: Path | None = None
    """The file of Inception's weights, if it is not in torch hub's cache and cannot be downloaded."""
    inception_sha256: str | None = None
    """The checksum of Inception's weights where others than pytorch-fid's are meant; the protocol will carry it."""
    ood_sets: tuple[str, ...] | None = None
    """Tell test images from these data sets ("scrambled": from themselves, scrambled) instead of the scale's own."""
    sampler: str | None = None
    """tpe (default), gp, cmaes, random, qmc, grid, nsga2 or nsga3."""
    scheduler: str | None = None
    """Early stopping: asha, hyperband, median, pbt (population based training) or none; by default asha where one
    objective is searched, none where several are, or where every trial counts."""
    seed: int | None = None
    """Seeds the sampler; trial n trains with seed + n unless the space chooses its seed (default 0)."""
    max_concurrent: int | None = None
    """How many trials at once; by default as many as the cluster's CPUs and GPUs allow."""
    cpus_per_trial: float | None = None
    """CPUs of one trial, and its number of threads (default 1)."""
    gpus_per_trial: float | None = None
    """GPUs of one trial, instead of the scale's own number; fractions share a GPU."""
    storage_dir: Path = Path("outputs")
    """The one folder that everything is written to."""
    optuna_storage: str | None = None
    """URL of a database for Optuna; by default a journal file in the study's folder."""
    tracking_uri: str | None = None
    """MLflow's tracking server; by default a SQLite file in the storage folder."""
    address: str | None = None
    """Join the Ray cluster at this address instead of starting one here."""
    placement: Placement = "spread"
    """Where trials go on a cluster: spread over the nodes, or packed on as few of them as hold --max-concurrent."""
    check: bool = False
    """With --address: check every node of the cluster, a line each, and start nothing."""
    resume: str | None = None
    """Go on with the study of this name; with a higher --trials, extend it. "auto": go on with study --name if it is
    there, start it otherwise."""
    confirm: str | None = None
    """Rerun the best configurations of the finished study of this name, as a study of its own."""
    top: int | None = None
    """With --confirm: how many configurations (default 3)."""
    dry_run: bool = False
    """Show the study and the first five suggested configurations, start nothing."""
    list_all: Annotated[bool, tyro.conf.arg(name="list")] = False
    """Show the spaces, their scales, and the data sets."""


# What may differ when a study goes on: how many trials, and where they run.
CHANGEABLE = (
    "trials",
    "max_concurrent",
    "cpus_per_trial",
    "gpus_per_trial",
    "inception_weights",
    "storage_dir",
    "optuna_storage",
    "tracking_uri",
    "address",
    "placement",
    "check",
    "resume",
    "dry_run",
    "list_all",
)


def to_json(config: StudyConfig, name: str) -> dict[str, Any]:
    """What a study keeps of its command line; nothing that may hold a password."""
    kept = {f.name: getattr(config, f.name) for f in fields(config) if f.name not in CHANGEABLE}
    return {"format": FORMAT, **kept, "name": name, "trials": config.trials}


def to_arguments(config: StudyConfig) -> list[str]:
    """The command line that says `config`; what has its default is left out."""
    arguments = []
    for field in fields(config):
        value = getattr(config, field.name)
        if value == field.default:
            continue
        flag = f"--{'list' if field.name == 'list_all' else field.name.replace('_', '-')}"
        values = () if value is True else value if isinstance(value, tuple) else (value,)
        arguments += [flag, *map(str, values)]
    return arguments


def resumed(config: StudyConfig, study_json: Path) -> StudyConfig:
    """The config of the study that `study_json` was written for, with what `config` may change.

    Raises `InputError` where the study is of another version, or `config` asks for what cannot change.
    """
    stored = json.loads(study_json.read_text())["config"]
    if stored.pop("format", None) != FORMAT:
        raise InputError(f"study {config.resume!r} was made by another version of this program: start a new one.")
    stored["objectives"] = tuple(stored["objectives"])
    if stored.get("ood_sets") is not None:
        stored["ood_sets"] = tuple(stored["ood_sets"])
    for key, value in stored.items():
        asked = getattr(config, key)
        if key not in CHANGEABLE and asked is not None and asked != value:
            flag = f"--{key.replace('_', '-')}"
            raise InputError(
                f"study {config.resume!r} was started with {flag} {value}, it cannot go on with {flag} {asked}: "
                "leave it out, or start a new study."
            )
    if config.trials is not None:
        stored["trials"] = config.trials
    return replace(config, **stored)
