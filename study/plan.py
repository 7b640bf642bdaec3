"""A study whose settings have been checked, before anything is started or written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import BaseTrial, FixedTrial
from pydantic import ValidationError
from trainables.evaluators import AnyProtocol
from trainables.metrics.names import direction

from search_spaces import SPACES, Claim, SearchSpace
from study.config import AUTO, StudyConfig, resumed, to_json
from study.confirmation import Confirmation
from study.optuna_storage import DATABASES, open_storage, ranked, with_driver
from study.samplers import check_sampler
from study.schedulers import check_scheduler
from study.trials import trial_key
from trainables.data.points import POINT_SETS
from trainables.data.sources import full_name, parent_of, source_of
from trainables.errors import InputError, lookup
from trainables.extractors.by_name import ExtractorChoice
from trainables.measures.detection import SCRAMBLED
from trainables.measures.fidelity import image_metric_names
from trainables.measures.points import point_metric_names
from trainables.methods import METHODS
from trainables.training import TrialSpec


@dataclass(frozen=True)
class StudyPlan:
    """What will be run, and where everything goes."""

    config: StudyConfig
    space: SearchSpace
    name: str
    objectives: tuple[str, ...]

    @classmethod
    def of(cls, config: StudyConfig) -> StudyPlan:
        """Check `config`; raises `InputError` for the first setting that makes no sense."""
        if config.dataset is not None:
            config = replace(config, dataset=full_name(config.dataset))
        _check_name(config.name)
        if config.resume == AUTO:
            config = _begun_or_new(config)
        if config.resume not in (None, AUTO):
            folder = studies_folder(config) / config.resume
            if not (folder / "study.json").exists():
                raise InputError(f"there is no study {config.resume!r} to resume in {folder.parent}: check --resume.")
            config = resumed(config, folder / "study.json")
        _check_numbers(config)
        if config.confirm is not None:
            return cls._confirming(config)
        if config.space is None:
            raise InputError("name a search space with --space; --list shows them.")
        space = lookup("space", config.space, SPACES)(config.scale or "laptop")
        return cls._with_space(config, space)

    @classmethod
    def _with_space(cls, config: StudyConfig, space: SearchSpace) -> StudyPlan:
        _check_dataset(config.dataset, space)
        datasets = space.datasets or (config.dataset or space.scale.dataset,)
        features = config.features or space.scale.features
        _check_measurement(config, features, datasets)
        objectives = config.objectives or tuple(measured_with(features, name) for name in space.objectives)
        ood_sets = space.scale.ood_sets if config.ood_sets is None else config.ood_sets
        for objective in objectives:
            _check_objective(objective, space, datasets, features, ood_sets)
        kind = "confirm" if config.confirm else space.name
        name = config.name or f"{kind}-{space.scale_name}-{datetime.now():%Y%m%d-%H%M%S}"
        plan = cls(config, space, name, objectives)
        check_sampler(plan.sampler, len(objectives))
        check_scheduler(plan.scheduler, len(objectives))
        return plan

    @classmethod
    def _confirming(cls, config: StudyConfig) -> StudyPlan:
        """The plan that trains the best configurations of study `config.confirm` again."""
        where = StudyConfig(storage_dir=config.storage_dir, optuna_storage=config.optuna_storage)
        original = cls.of(replace(where, resume=config.confirm))
        try:
            study = optuna.load_study(study_name=original.name, storage=open_storage(original.optuna_storage))
        except (KeyError, OSError) as error:
            raise InputError(
                f"the trials of study {original.name!r} are not in {original.folder}: "
                "name the --optuna-storage that it was started with."
            ) from error
        best = ranked(study)[: config.top or 3]
        if not best:
            raise InputError(f"study {original.name!r} has no finished trial to confirm.")

        def configure(number: int) -> dict[str, Any]:
            trial = FixedTrial(study.trials[number].params, number)
            named = {"dataset": original.dataset_of(trial)} if original.space.datasets else {}
            return original.method_config(trial) | named

        space = Confirmation(original.space, original.name, best, configure)
        confirming = replace(
            config,
            dataset=original.config.dataset,
            objectives=original.objectives,
            features=original.extractor.name,
            inception_sha256=original.config.inception_sha256,
            ood_sets=original.config.ood_sets,
            seeds=config.seeds or 5,
            trials=len(best),
        )
        return cls._with_space(confirming, space)

    @property
    def is_resumed(self) -> bool:
        """Whether the study was started before."""
        return self.config.resume not in (None, AUTO)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets trained on; more than one where the trials of the space name their own."""
        return self.space.datasets or (self.config.dataset or self.space.scale.dataset,)

    @property
    def num_trials(self) -> int:
        """How many trials the study has."""
        wanted = self.config.trials or self.space.scale.trials
        return min(wanted, len(self.space.first_trials())) if self.space.exhaustive else wanted

    @property
    def seed(self) -> int:
        """Seeds the sampler and, with a trial's number, its training."""
        return self.config.seed or 0

    @property
    def seeds(self) -> int:
        """How many times a trial trains its configuration."""
        return self.config.seeds or 1

    @property
    def sampler(self) -> str:
        """The name of the sampler."""
        return self.config.sampler or "tpe"

    @property
    def scheduler(self) -> str:
        """The name of the scheduler: unless one is chosen, successive halving where a single objective is searched."""
        compares = self.space.exhaustive or len(self.objectives) > 1
        return self.config.scheduler or ("none" if compares else "asha")

    @property
    def extractor(self) -> ExtractorChoice:
        """What images are measured with."""
        config = self.config
        features = config.features or self.space.scale.features
        return ExtractorChoice(features, config.inception_weights, config.inception_sha256)

    @property
    def ood_sets(self) -> tuple[str, ...]:
        """The out-of-distribution sets."""
        return self.space.scale.ood_sets if self.config.ood_sets is None else self.config.ood_sets

    def claims(self) -> list[Claim]:
        """The document's claims, as the study measures them."""
        features = self.extractor.name
        return [replace(claim, metric=measured_with(features, claim.metric)) for claim in self.space.claims()]

    def mutations(self) -> dict[str, tuple[float, float]]:
        """The continuous settings that population based training may perturb, with their ranges."""
        trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
        settings = self.space.suggest(trial)
        return {
            name: (found.low, found.high)
            for name, found in trial.distributions.items()
            if isinstance(found, FloatDistribution) and name in settings
        }

    @property
    def cpus_per_trial(self) -> float:
        """CPUs of one trial."""
        return self.config.cpus_per_trial or 1.0

    @property
    def gpus_per_trial(self) -> float:
        """GPUs of one trial."""
        chosen = self.config.gpus_per_trial
        return self.space.scale.gpus_per_trial if chosen is None else chosen

    @property
    def storage(self) -> Path:
        """The one folder that everything is written to, absolute."""
        return self.config.storage_dir.resolve()

    @property
    def folder(self) -> Path:
        """The study's own folder."""
        return studies_folder(self.config) / self.name

    def trial_folder(self, number: int) -> Path:
        """The folder of a trial: its checkpoints, pictures and best weights."""
        return self.folder / "trials" / trial_key(number)

    @property
    def cache_dir(self) -> Path:
        """Data sets and classifiers, shared by all studies."""
        return self.storage / "cache"

    @property
    def optuna_storage(self) -> str:
        """Optuna's storage: a file, or the URL of a database."""
        return self.config.optuna_storage or str(self.folder / "optuna.journal")

    @property
    def tracking_uri(self) -> str:
        """MLflow's tracking server or file."""
        return with_driver(self.config.tracking_uri or f"sqlite:///{self.storage / 'mlflow.db'}")

    @property
    def artifacts(self) -> Path | None:
        """Where MLflow keeps pictures; None where its server decides."""
        return self.storage / "mlartifacts" / self.space.name if self.tracking_uri.startswith(DATABASES) else None

    def method_config(self, trial: BaseTrial) -> dict[str, Any]:
        """The method's whole config for an Optuna trial: fixed and suggested settings, the rest its defaults.

        Raises `InputError` naming the field that the method refuses.
        """
        suggested = self.space.suggest(trial)
        settings = {"seed": self.seed + trial.number, **self.space.scale.fixed, **suggested}
        if self.space.datasets:
            del settings["dataset"]
        try:
            return METHODS[self.space.method].Config(**settings).model_dump(mode="json")
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise InputError(
                f"space {self.space.name!r} sets {field} of {self.space.method} to {first['input']!r}: {first['msg']}."
            ) from error

    def dataset_of(self, trial: BaseTrial) -> str:
        """The data set that an Optuna trial trains on."""
        return self.space.suggest(trial)["dataset"] if self.space.datasets else self.datasets[0]

    def first_configs(self) -> list[tuple[str, dict[str, Any]]]:
        """The data set and the method's config of the first trials, those that differ in their seed alone once."""
        trials = [FixedTrial(dict(first.params), n) for n, first in enumerate(self.space.first_trials())]
        configs = [(self.dataset_of(trial), self.method_config(trial)) for trial in trials[: self.num_trials]]
        return list({(name, str(config | {"seed": 0})): (name, config) for name, config in configs}.values())

    def trial_spec(self, trial: BaseTrial, protocols: Mapping[str, AnyProtocol]) -> TrialSpec:
        """What a trial is told; `protocols` are those of the study's data sets."""
        return TrialSpec(
            number=trial.number,
            method=self.space.method,
            config=self.method_config(trial),
            rounds=self.space.scale.rounds,
            evaluate_every=self.space.scale.evaluate_every,
            first_evaluation=self.space.scale.first_evaluation,
            seeds=self.seeds,
            protocol=protocols[self.dataset_of(trial)],
            cache_dir=str(self.cache_dir),
            folder=str(self.trial_folder(trial.number)),
        )

    def describe(self) -> dict[str, Any]:
        """Everything that is the same for all trials, JSON."""
        scale = asdict(self.space.scale)
        return {
            "name": self.name,
            "space": self.space.name,
            "method": self.space.method,
            "objectives": list(self.objectives),
            "scale": self.space.scale_name,
            "dataset": ", ".join(self.datasets),
            "trials": self.num_trials,
            "sampler": self.sampler,
            "scheduler": self.scheduler,
            "seed": self.seed,
            "seeds": self.seeds,
            "cpus_per_trial": self.cpus_per_trial,
            "gpus_per_trial": self.gpus_per_trial,
            "folder": str(self.folder),
            **{key: scale[key] for key in ("rounds", "evaluate_every", "num_samples", "fixed")},
            "features": self.extractor.name,
            "ood_sets": self.ood_sets,
        }

    def study_json(self) -> dict[str, Any]:
        """What the study's folder says of it: enough to resume it."""
        chosen = replace(self.config, sampler=self.sampler, scheduler=self.scheduler, objectives=self.objectives)
        return {"config": to_json(chosen, self.name), "study": self.describe()}


def studies_folder(config: StudyConfig) -> Path:
    """Where the studies of a storage folder are."""
    return config.storage_dir.resolve() / "studies"


def _begun_or_new(config: StudyConfig) -> StudyConfig:
    """What `--resume auto` means: going on with study --name if there is one; what an earlier driver left is none."""
    if config.name is None:
        raise InputError("--resume auto goes on with a study, or starts it: name it with --name.")
    is_begun = (studies_folder(config) / config.name / "study.json").exists()
    return replace(config, resume=config.name) if is_begun else config


def _check_name(name: str | None) -> None:
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise InputError(f"--name {name!r}: use up to 100 letters, digits, '.', '_' and '-'.")
    if name == AUTO:
        raise InputError(f"--name {AUTO} cannot be told from --resume {AUTO}: choose another name.")


def _check_numbers(config: StudyConfig) -> None:
    for flag, value, smallest in (
        ("--trials", config.trials, 1),
        ("--seeds", config.seeds, 1),
        ("--top", config.top, 1),
        ("--max-concurrent", config.max_concurrent, 1),
        ("--seed", config.seed, 0),
        ("--gpus-per-trial", config.gpus_per_trial, 0),
    ):
        if value is not None and value < smallest:
            raise InputError(f"{flag} is {value}: it must be at least {smallest}.")
    if config.cpus_per_trial is not None and config.cpus_per_trial <= 0:
        raise InputError(f"--cpus-per-trial is {config.cpus_per_trial}: it must be above 0.")
    if config.gpus_per_trial is not None and config.gpus_per_trial > 1 and config.gpus_per_trial % 1:
        raise InputError(f"--gpus-per-trial is {config.gpus_per_trial}: above 1 it must be a whole number.")
    if config.check and config.address is None:
        raise InputError("--check asks the nodes of a cluster: name it with --address.")


def _check_dataset(name: str | None, space: SearchSpace) -> None:
    """Raise `InputError` for an unknown data set, and for one that the space is not made for."""
    if name is None:
        return
    source_of(name)
    if space.datasets:
        raise InputError(f"each trial of space {space.name!r} names its data set: leave out --dataset {name}.")
    if (name in POINT_SETS) != (space.scale.dataset in POINT_SETS):
        taken, given = ("points", "images") if space.scale.dataset in POINT_SETS else ("images", "points")
        raise InputError(f"space {space.name!r} is for {taken}, and data set {name!r} has {given}: choose another one.")


def measured_with(features: str, metric: str) -> str:
    """What a space calls `metric`, as it is called where another extractor measures: `fid_inception_best`."""
    return metric.replace("_lenet", f"_{features}")


def _check_measurement(config: StudyConfig, features: str, datasets: tuple[str, ...]) -> None:
    """Raise `InputError` for options of another extractor, and for sets that are no out-of-distribution sets."""
    if features != "inception" and (config.inception_weights or config.inception_sha256):
        raise InputError(f"--inception-weights and --inception-sha256 are for --features inception, not {features}.")
    for name in config.ood_sets or ():
        if name != SCRAMBLED:
            source_of(name)
        if name in POINT_SETS:
            raise InputError(f"--ood-sets {name}: points are no out-of-distribution set of images, choose another one.")
        if name in map(parent_of, datasets):
            raise InputError(f"--ood-sets {name}: that is what is trained on, choose another one.")


def _check_objective(
    objective: str, space: SearchSpace, datasets: tuple[str, ...], features: str, ood_sets: tuple[str, ...]
) -> None:
    """Raise `InputError`, with the nearest names, for a metric that not every trial of the space reports."""
    if datasets[0] in POINT_SETS:
        names = [point_metric_names(name) for name in datasets]
        known = [metric for metric in names[0] if all(metric in others for others in names)]
    else:
        known = list(image_metric_names(features, ood_sets))
    lookup("objective", objective, dict.fromkeys([*known, *(f"{name}_best" for name in known)]))
    direction(objective)
