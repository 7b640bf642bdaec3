"""The options of a study. The default of each option is the default of its field.

A default of None means that the space, the scale or other options decide: `study.planning` resolves it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from study.outside import split_name
from trainables.errors import InputError
from trainables.measures.settings import ExtractorName
from trainables.precision import Precision

FORMAT = 3
"""Raise when a study of an older version can no longer be resumed."""

AUTO = "auto"
"""`--resume auto`: for batch systems, which run the same command line until the study is done."""

Placement = Literal["spread", "pack"]

FLAGS = {"list_all": "list", "assignments": "set", "from_file": "config"}
"""Fields whose flags have other names."""

CHANGEABLE = {"changeable": True}
"""Metadata of a field that may differ when a study goes on: how many trials, and where they run."""


@dataclass(frozen=True)
class StudyConfig:
    """Run a distributed hyperparameter study of a generative model."""

    space: str | None = None
    """The search space: a name that `--list` shows, module:Class of an installed package, or FILE.py:Class."""
    scale: str = "laptop"
    """smoke (seconds), laptop (minutes on two cores) or paper (the document's settings, GPUs)."""
    dataset: str | None = None
    """Train on this data set instead of the scale's own: a name that `--list` shows, NAME:CLASS or folder:PATH."""
    name: str | None = None
    """The study's name; by default the space, the scale and the time."""
    trials: int | None = field(default=None, metadata=CHANGEABLE)
    """How many trials in all, instead of the scale's own number."""
    rounds: int | None = None
    """The budget of a trial in the method's rounds, instead of the scale's own; evaluations become as frequent as
    such a budget needs."""
    seeds: int | None = None
    """Train each configuration this many times and report the mean and the standard deviation, instead of the scale's
    own number."""
    assignments: Annotated[tuple[str, ...] | None, tyro.conf.arg(name=FLAGS["assignments"])] = None
    """KEY=VALUE ...: change settings of the method that the space does not search."""
    objectives: tuple[str, ...] | None = None
    """Metrics to optimise instead of the space's own; with several, the Pareto front is searched. The first decides
    which weights of a trial are kept; the others are read in the same evaluation."""
    constraints: tuple[str, ...] | None = None
    """"METRIC<=NUMBER" or "METRIC>=NUMBER" ...: what a trial must keep at its end to be ranked, instead of the scale's
    own; --constraints alone: nothing. The samplers tpe, gp, nsga2 and nsga3 learn to keep it."""
    after: str | None = None
    """NAME[,NAME]: learn from finished studies of the same space. Their trials are known to the sampler as they are;
    where the scale, the data or the measures differ, their best three settings are tried first instead."""
    features: ExtractorName | None = None
    """Measure images by the features of Inception, of a classifier that is trained on the data set (lenet), or of
    EfficientNet-Lite0 (efficientnet), instead of the scale's own."""
    inception_weights: Path | None = field(default=None, metadata=CHANGEABLE)
    """The file of Inception's weights, if it is not in torch hub's cache and cannot be downloaded."""
    inception_sha256: str | None = None
    """The checksum of Inception's weights, if they are not pytorch-fid's; it becomes a part of the protocol."""
    ood_sets: tuple[str, ...] | None = None
    """Tell test images from these data sets, instead of the scale's own; "scrambled": the test images, scrambled."""
    sampler: str = "tpe"
    """tpe, gp, cmaes, random, qmc, grid, nsga2 or nsga3."""
    scheduler: str | None = None
    """Early stopping: asha, hyperband, median, pbt (population based training) or none; by default asha where one
    objective is searched, none where several are, or where every trial counts: in grids and for claims."""
    seed: int = 0
    """Seeds the sampler and the trainings: trial n trains with seed + n; all trials of a grid have the same seeds."""
    time_budget: str | None = field(default=None, metadata=CHANGEABLE)
    """The time of all runs of the study together, as in 90m, 2h or 1d12h: no trial starts that would not end in time,
    and those that run are paused at a checkpoint; --resume goes on with them."""
    gpu_hours: float | None = field(default=None, metadata=CHANGEABLE)
    """The GPU hours of all trials together: a limit like --time-budget."""
    until: str | None = field(default=None, metadata=CHANGEABLE)
    """METRIC=VALUE, as in fid_lenet_best=30: when a trial has reached it, that trial is trained to its end, the others
    are paused and no further ones start."""
    max_concurrent: int | None = field(default=None, metadata=CHANGEABLE)
    """How many trials run at once; by default as many as the cluster's CPUs and GPUs allow."""
    cpus_per_trial: float = field(default=1.0, metadata=CHANGEABLE)
    """CPUs of one trial, and its number of threads."""
    gpus_per_trial: float | None = field(default=None, metadata=CHANGEABLE)
    """GPUs of one trial, instead of the scale's own number; fractions share a GPU."""
    precision: Precision | None = None
    """How GPUs multiply in training: fp32, tf32 or bf16; by default tf32 where trials have a GPU. Losses and
    evaluations are always computed in fp32, and CPUs know nothing else."""
    storage_dir: Path = field(default=Path("outputs"), metadata=CHANGEABLE)
    """The one folder that everything is written to."""
    optuna_storage: str | None = field(default=None, metadata=CHANGEABLE)
    """URL of a database for Optuna; by default a journal file in the study's folder."""
    tracking_uri: str | None = field(default=None, metadata=CHANGEABLE)
    """MLflow's tracking server; by default a SQLite file in the storage folder."""
    address: str | None = field(default=None, metadata=CHANGEABLE)
    """Join the Ray cluster at this address instead of starting one here."""
    cluster_grows: bool = field(default=False, metadata=CHANGEABLE)
    """With --address: the cluster has an autoscaler, so --max-concurrent trials run or wait, however many fit now."""
    placement: Placement = field(default="spread", metadata=CHANGEABLE)
    """Where trials run on a cluster: spread over the nodes, or packed on as few as --max-concurrent trials need."""
    check: bool = field(default=False, metadata=CHANGEABLE)
    """With --address: check every node of the cluster, print a line for each, and start nothing."""
    from_file: Annotated[Path | None, tyro.conf.arg(name=FLAGS["from_file"])] = field(default=None, metadata=CHANGEABLE)
    """Start a new study with the options in this study.json, the file of another study; other options override it."""
    resume: str | None = field(default=None, metadata=CHANGEABLE)
    """Go on with the study of this name; with a higher --trials, extend it. "auto": go on with study --name if it is
    there, start it otherwise."""
    revive: int | None = field(default=None, metadata=CHANGEABLE)
    """With --resume: the best trials that were stopped early, so many, go on from their checkpoints to their end."""
    confirm: str | None = None
    """Rerun the best configurations of the finished study of this name, as a new study."""
    top: int = 3
    """With --confirm: how many configurations."""
    no_report: bool = field(default=False, metadata=CHANGEABLE)
    """Do not write report.html at the end (`python -m study.report NAME` writes it later)."""
    dry_run: bool = field(default=False, metadata=CHANGEABLE)
    """Show the study and the first five suggested configurations, start nothing."""
    list_all: Annotated[bool, tyro.conf.arg(name=FLAGS["list_all"])] = field(default=False, metadata=CHANGEABLE)
    """Show the spaces, their scales, and the data sets."""


def flag_of(name: str) -> str:
    """How the command line calls a field."""
    return "--" + FLAGS.get(name, name).replace("_", "-")


def said_in(arguments: Sequence[str]) -> set[str]:
    """The fields that a command line names, also those that it gives their default value."""
    flags = {argument.partition("=")[0].replace("_", "-") for argument in arguments}
    return {each.name for each in fields(StudyConfig) if flag_of(each.name) in flags}


def differing(config: StudyConfig) -> set[str]:
    """The fields that do not have their default."""
    return {each.name for each in fields(config) if getattr(config, each.name) != each.default}


def to_json(config: StudyConfig, name: str) -> dict[str, Any]:
    """The options that a study keeps, JSON, without those that may hold a password."""
    kept = {each.name: getattr(config, each.name) for each in fields(config) if not each.metadata.get("changeable")}
    return {"format": FORMAT, **kept, "name": name, "trials": config.trials}


def to_arguments(config: StudyConfig) -> list[str]:
    """The command line that says `config`; what has its default is left out."""
    arguments = []
    for each in fields(config):
        value = getattr(config, each.name)
        if value == each.default:
            continue
        values = () if value is True else value if isinstance(value, tuple) else (value,)
        arguments += [flag_of(each.name), *map(str, values)]
    return arguments


def resumed(config: StudyConfig, said: Collection[str], study_json: Path) -> StudyConfig:
    """The config that `study_json` keeps, with the changes that `config` may make.

    `said` are the fields that the command line names. Raises `InputError` where the study is of another version, or for
    a field that cannot change.
    """
    try:
        stored = _read(study_json, f"study {config.resume!r}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{study_json} is damaged: put back a copy of it, or start a new study.") from error
    if stored["name"] != config.resume:
        raise InputError(
            f"{study_json.parent} was copied or renamed from study {stored['name']!r}, whose trials its files name: "
            f"give it back its name, or start a study of the same settings with --config {study_json}."
        )
    for key, value in stored.items():
        asked = getattr(config, key)
        if key != "trials" and key in said and not _same(key, asked, value):
            flag = flag_of(key)
            raise InputError(
                f"study {config.resume!r} was started with {_shown(flag, value)}, it cannot go on with "
                f"{_shown(flag, asked)}: leave it out, or start a new study."
            )
    if config.trials is not None:
        stored["trials"] = config.trials
    return replace(config, **stored)


def started_from(config: StudyConfig, said: Collection[str]) -> StudyConfig:
    """The config of a new study: the file of another study, overridden by the fields in `said`."""
    assert config.from_file is not None
    if not config.from_file.is_file():
        raise InputError(f"there is no file {config.from_file}: name the study.json of a study with --config.")
    try:
        stored = _read(config.from_file, str(config.from_file))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{config.from_file} is not the study.json of a study: check --config.") from error
    kept = {key: value for key, value in stored.items() if key not in said and key != "name"}
    return replace(config, **kept)


def _read(study_json: Path, what: str) -> dict[str, Any]:
    """The fields that a study keeps; raises `InputError` about `what` if another version of this program wrote them."""
    stored = json.loads(study_json.read_text())["config"]
    if stored.pop("format", None) != FORMAT:
        raise InputError(f"{what} was made by another version of this program: start a new one.")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}


def _same(key: str, asked: Any, value: Any) -> bool:
    """Whether two values of a field mean the same. A file from outside may have been moved: the study has a copy."""
    if key == "space" and asked and value and split_name(asked) and split_name(value):
        return Path(asked).name == Path(value).name
    return asked == value


def _shown(flag: str, value: Any) -> str:
    if value is None:
        return f"no {flag}"
    return f"{flag} {' '.join(map(str, value)) if isinstance(value, tuple) else value}"
