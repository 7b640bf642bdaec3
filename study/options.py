"""The options of a study, in the groups of the help. The default of each option is the default of its field.

A default of None means that the space, the scale or other options decide: `study.planning` resolves it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from trainables.measures.settings import ExtractorName
from trainables.options import Option
from trainables.precision import Precision

Placement = Literal["spread", "pack"]

FLAGS = {"list_all": "list", "assignments": "set", "from_file": "config"}
"""Fields whose flags have other names."""

CHANGEABLE = {"changeable": True}
"""Metadata of a field that may differ when a study goes on: how many trials, and where they run."""


@dataclass(frozen=True)
class LookOptions:
    """Look first; nothing is started."""

    list_all: Annotated[bool, Option(name=FLAGS["list_all"])] = field(default=False, metadata=CHANGEABLE)
    """Show the spaces, their scales, and the data sets."""
    dry_run: bool = field(default=False, metadata=CHANGEABLE)
    """Show the study and the first five suggested configurations."""
    check: bool = field(default=False, metadata=CHANGEABLE)
    """With --address: check every node of the cluster, and print a line for each."""


@dataclass(frozen=True)
class StudyOptions:
    """What is trained, and how often."""

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
    assignments: Annotated[tuple[str, ...] | None, Option(name=FLAGS["assignments"], placeholder="KEY=VALUE...")] = None
    """Change settings of the method that the space does not search."""


@dataclass(frozen=True)
class SearchOptions:
    """How settings are suggested, judged, and stopped early."""

    sampler: str = "tpe"
    """tpe, gp, cmaes, random, qmc, grid, nsga2 or nsga3."""
    scheduler: str | None = None
    """Early stopping: asha, hyperband, median, pbt (population based training) or none; by default asha where one
    objective is searched, none where several are, or where every trial counts: in grids and for claims."""
    objectives: Annotated[tuple[str, ...] | None, Option(placeholder="METRIC...")] = None
    """Metrics to optimise instead of the space's own; with several, the Pareto front is searched. The first decides
    which weights of a trial are kept; the others are read in the same evaluation."""
    constraints: Annotated[tuple[str, ...] | None, Option(placeholder="CONDITION...")] = None
    """"METRIC<=NUMBER" or "METRIC>=NUMBER": what a trial must keep at its end to be ranked, instead of the scale's
    own; --constraints alone: nothing. The samplers tpe, gp, nsga2 and nsga3 learn to keep it."""
    after: Annotated[str | None, Option(placeholder="NAME[,NAME]")] = None
    """Learn from finished studies of the same space. Their trials are known to the sampler as they are; where the
    scale, the data or the measures differ, their best three settings are tried first instead."""
    seed: int = 0
    """Seeds the sampler and the trainings: trial n trains with seed + n; all trials of a grid have the same seeds."""


@dataclass(frozen=True)
class LimitOptions:
    """When a study ends before its trials are done; --resume goes on with it."""

    time_budget: Annotated[str | None, Option(placeholder="TIME")] = field(default=None, metadata=CHANGEABLE)
    """The time of all runs of the study together, as in 90m, 2h or 1d12h: no trial starts that would not end in time,
    and those that run are paused at a checkpoint."""
    gpu_hours: float | None = field(default=None, metadata=CHANGEABLE)
    """The GPU hours of all trials together: a limit like --time-budget."""
    until: Annotated[str | None, Option(placeholder="METRIC=VALUE")] = field(default=None, metadata=CHANGEABLE)
    """As in fid_lenet_best=30: when a trial has reached it, that trial is trained to its end, the others are paused
    and no further ones start."""


@dataclass(frozen=True)
class FollowUpOptions:
    """Go on with a study that there is, or begin one from it."""

    resume: str | None = field(default=None, metadata=CHANGEABLE)
    """Go on with the study of this name; with a higher --trials, extend it. "auto": go on with study --name if it is
    there, start it otherwise."""
    revive: int | None = field(default=None, metadata=CHANGEABLE)
    """With --resume: the best trials that were stopped early, so many, go on from their checkpoints to their end."""
    confirm: str | None = None
    """Rerun the best configurations of the finished study of this name, as a new study."""
    top: int = 3
    """With --confirm: how many configurations."""
    from_file: Annotated[Path | None, Option(name=FLAGS["from_file"])] = field(default=None, metadata=CHANGEABLE)
    """Start a new study with the options in this study.json, the file of another study; other options override it."""


@dataclass(frozen=True)
class MeasureOptions:
    """How images are measured."""

    features: ExtractorName | None = None
    """Measure images by the features of Inception, of a classifier that is trained on the data set (lenet), or of
    EfficientNet-Lite0 (efficientnet), instead of the scale's own."""
    ood_sets: tuple[str, ...] | None = None
    """Tell test images from these data sets, instead of the scale's own; "scrambled": the test images, scrambled."""
    inception_weights: Path | None = field(default=None, metadata=CHANGEABLE)
    """The file of Inception's weights, if it is not in torch hub's cache and cannot be downloaded."""
    inception_sha256: Annotated[str | None, Option(placeholder="CHECKSUM")] = None
    """The checksum of Inception's weights, if they are not pytorch-fid's; it becomes a part of the protocol."""


@dataclass(frozen=True)
class MachineOptions:
    """What a trial gets of a machine, and where trials run."""

    max_concurrent: int | None = field(default=None, metadata=CHANGEABLE)
    """How many trials run at once; by default as many as the cluster's CPUs and GPUs allow."""
    cpus_per_trial: float = field(default=1.0, metadata=CHANGEABLE)
    """CPUs of one trial, and its number of threads."""
    gpus_per_trial: float | None = field(default=None, metadata=CHANGEABLE)
    """GPUs of one trial, instead of the scale's own number; fractions share a GPU."""
    precision: Precision | None = None
    """How GPUs multiply in training; by default tf32 where trials have a GPU. Losses and evaluations are always
    computed in fp32, and CPUs know nothing else."""
    address: Annotated[str | None, Option(placeholder="ADDRESS")] = field(default=None, metadata=CHANGEABLE)
    """Join the Ray cluster at this address instead of starting one here."""
    cluster_grows: bool = field(default=False, metadata=CHANGEABLE)
    """With --address: the cluster has an autoscaler, so --max-concurrent trials run or wait, however many fit now."""
    placement: Placement = field(default="spread", metadata=CHANGEABLE)
    """Where trials run on a cluster: spread over the nodes, or packed on as few as --max-concurrent trials need."""


@dataclass(frozen=True)
class StorageOptions:
    """Where everything is kept."""

    storage_dir: Path = field(default=Path("outputs"), metadata=CHANGEABLE)
    """The one folder that everything is written to."""
    optuna_storage: Annotated[str | None, Option(placeholder="URL")] = field(default=None, metadata=CHANGEABLE)
    """A database for Optuna; by default a journal file in the study's folder."""
    tracking_uri: Annotated[str | None, Option(placeholder="URL")] = field(default=None, metadata=CHANGEABLE)
    """MLflow's tracking server; by default a SQLite file in the storage folder."""
    no_report: bool = field(default=False, metadata=CHANGEABLE)
    """Do not write report.html at the end (`python -m study.report NAME` writes it later)."""
