"""What is submitted: a checked study, with the paths that it has on the cluster."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from study.config import AUTO, StudyConfig, to_arguments
from study.nodes.capacity import Resources
from trainables.errors import InputError

Options = TypeVar("Options")


@dataclass(frozen=True)
class Submission(Generic[Options]):
    """A checked study and the options of the back end that it is submitted to."""

    name: str
    storage: Path
    """The storage folder, absolute."""
    trial: Resources
    config: StudyConfig
    """As it was asked for, with the study's name and absolute paths."""
    options: Options

    @classmethod
    def of(cls, config: StudyConfig, options: Options) -> Submission[Options]:
        """Check the study as `study.launch` does; raises `InputError`. A study without a name gets one."""
        from study.plan import StudyPlan  # here, so that a look at a job does not wait for what a plan imports

        _check(config)
        config = replace(config, space=_with_absolute_file(config.space), resume=AUTO if config.name else None)
        plan = StudyPlan.of(config)
        weights = config.inception_weights and config.inception_weights.resolve()
        named = replace(config, name=plan.name, storage_dir=plan.storage, inception_weights=weights)
        return cls(plan.name, plan.storage, Resources(plan.cpus_per_trial, plan.gpus_per_trial), named, options)

    @property
    def space_file(self) -> Path | None:
        """The file that defines the search space, where it is not one of the project's or of another package."""
        return split_space(self.config.space)[0]

    def launch_arguments(self, address: str | None = None, files: str | None = None) -> list[str]:
        """The arguments of `python -m study.launch` on the cluster, whose Ray is at `address`.

        `files` is the folder there that the file of the space is in; None where it has the same path as here.
        """
        there = replace(self.config, resume=AUTO, address=address, dry_run=False, list_all=False)
        file, class_name = split_space(self.config.space)
        if file is not None and files is not None:
            there = replace(there, space=f"{os.path.join(files, file.name)}:{class_name}")
        return to_arguments(there)


def split_space(space: str | None) -> tuple[Path | None, str]:
    """The file and the name of the class in `path/to/mine.py:Mine`; no file in any other name of a space."""
    path, colon, class_name = (space or "").rpartition(":")
    return (Path(path), class_name) if colon and path.endswith(".py") else (None, "")


def _with_absolute_file(space: str | None) -> str | None:
    """A space of a file by its absolute path, in which links are kept: nodes may see them lead elsewhere."""
    file, class_name = split_space(space)
    return space if file is None else f"{os.path.abspath(file)}:{class_name}"


def _check(config: StudyConfig) -> None:
    """Raise `InputError` for what `study.launch` takes and a submission does not."""
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
