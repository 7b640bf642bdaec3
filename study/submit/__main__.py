"""python -m study.submit --backend slurm --space gradnorm: a study as a job of a cluster."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

import optuna
import tyro

from study.config import StudyConfig
from study.submit.backend import Action, Backend, ClusterOptions, Submission, refuse_foreign
from study.submit.kuberay import KubeRay
from study.submit.ray_job import RayJob
from study.submit.slurm import Slurm
from trainables.errors import InputError, lookup

BACKENDS: dict[str, Backend] = {"slurm": Slurm(), "ray-job": RayJob(), "kuberay": KubeRay()}


@dataclass(frozen=True)
class SubmitConfig:
    """Submit a study to a cluster. It goes on by itself, each time its job starts, until it is done; the options of
    `study.launch` are the study's."""

    backend: str | None = None
    """slurm: a batch job with a Ray cluster of its own; ray-job: a job of the Ray cluster at --address;
    kuberay: a RayJob on Kubernetes."""
    action: Action = "submit"
    """ray-job: or show the state of study --name, follow it, stop it."""
    cluster: tyro.conf.OmitArgPrefixes[ClusterOptions] = field(default_factory=ClusterOptions)
    study: tyro.conf.OmitArgPrefixes[StudyConfig] = field(default_factory=StudyConfig)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: 2 for bad input, with nothing submitted.

    Otherwise 0, or that of the study where the backend follows it to its end.
    """
    config = tyro.cli(
        SubmitConfig, prog="python -m study.submit", args=arguments, config=(tyro.conf.FlagCreatePairsOff,)
    )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if config.backend is None:
            raise InputError(f"say where to with --backend: {', '.join(BACKENDS)}.")
        backend = lookup("backend", config.backend, BACKENDS)
        refuse_foreign(config.backend, backend, config.cluster)
        if config.action != "submit":
            return backend.manage(config.action, config.study, config.cluster)
        submission = Submission.of(config.study, config.cluster)
        if config.study.dry_run:
            print(backend.render(submission), end="")
            return 0
        return backend.submit(submission)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
