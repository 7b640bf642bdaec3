"""A study whose settings have been checked, before anything is started or written."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optuna.trial import BaseTrial
from pydantic import ValidationError

from search_spaces import SearchSpace
from study.config import StudyConfig
from trainables.errors import InputError
from trainables.evaluation import Protocol
from trainables.methods import METHODS
from trainables.training import TrialSpec


@dataclass(frozen=True)
class StudyPlan:
    """What will be run, and where everything goes."""

    config: StudyConfig
    space: SearchSpace
    name: str

    @classmethod
    def of(cls, config: StudyConfig) -> StudyPlan:
        """Check `config`; raises `InputError` for the first setting that makes no sense."""
        return cls(config, config.validate(), config.study_name())

    @property
    def dataset(self) -> str:
        """The data set trained on."""
        return self.config.dataset or self.space.scale.dataset

    @property
    def num_trials(self) -> int:
        """How many trials the study has."""
        return self.config.trials or self.space.scale.trials

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
        return self.storage / "studies" / self.name

    @property
    def cache_dir(self) -> Path:
        """Data sets and classifiers, shared by all studies."""
        return self.storage / "cache"

    @property
    def tracking_uri(self) -> str:
        """MLflow's tracking server or file."""
        return self.config.tracking_uri or f"sqlite:///{self.storage / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path | None:
        """Where MLflow keeps pictures; None where its server decides."""
        return None if self.config.tracking_uri else self.storage / "mlartifacts" / self.space.name

    def method_config(self, trial: BaseTrial) -> dict[str, Any]:
        """The method's whole config for an Optuna trial: fixed and suggested settings, the rest its defaults.

        Raises `InputError` naming the field that the method refuses.
        """
        suggested = self.space.suggest(trial)
        settings = {"seed": self.config.seed + trial.number, **self.space.scale.fixed, **suggested}
        try:
            return METHODS[self.space.method].Config(**settings).model_dump(mode="json")
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise InputError(
                f"space {self.space.name!r} sets {field} of {self.space.method} to {first['input']!r}: {first['msg']}."
            ) from error

    def trial_spec(self, trial: BaseTrial, protocol: Protocol) -> TrialSpec:
        """What a trial is told."""
        return TrialSpec(
            number=trial.number,
            method=self.space.method,
            config=self.method_config(trial),
            rounds=self.space.scale.rounds,
            evaluate_every=self.space.scale.evaluate_every,
            protocol=protocol,
            cache_dir=str(self.cache_dir),
            folder=str(self.folder / "trials" / f"{trial.number:04d}"),
        )

    def describe(self) -> dict[str, Any]:
        """Everything that is the same for all trials, JSON."""
        scale = asdict(self.space.scale)
        return {
            "name": self.name,
            "space": self.space.name,
            "method": self.space.method,
            "objectives": list(self.space.objectives),
            "scale": self.config.scale,
            "dataset": self.dataset,
            "trials": self.num_trials,
            "seed": self.config.seed,
            "cpus_per_trial": self.config.cpus_per_trial,
            "gpus_per_trial": self.gpus_per_trial,
            "folder": str(self.folder),
            **{key: scale[key] for key in ("rounds", "evaluate_every", "num_samples", "ood_sets", "fixed")},
        }
