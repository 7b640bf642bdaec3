"""What is submitted: a checked study, with the paths that it has on the cluster."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from study.config import AUTO, StudyConfig, to_arguments
from study.nodes.capacity import Resources
from study.outside import split_name, with_absolute_path
from trainables.credentials import holds_password
from trainables.errors import InputError
from trainables.files import absolute

Options = TypeVar("Options")

REFUSED = ("list_all", "check", "resume")
"""Fields of a study's options that a submission does not take, unless they say what it does by itself."""


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
    def of(cls, config: StudyConfig, options: Options, said: Collection[str] | None = None) -> Submission[Options]:
        """Check the study as `study.launch` does; raises `InputError`. A study without a name gets one.

        `said` are the fields of `config` that the command line names, as `make_plan` takes them.
        """
        # Imported here, so that `--action status` does not wait for them.
        import optuna

        from study.planning import make_plan
        from trainables.data.sources import full_name

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        _check(config)
        plan = make_plan(replace(config, resume=AUTO if config.name else None), said)
        asked = plan.config if config.from_file else config
        named = replace(
            asked,
            name=plan.name,
            storage_dir=plan.storage,
            space=asked.space and with_absolute_path(asked.space),
            dataset=asked.dataset and full_name(asked.dataset),
            inception_weights=asked.inception_weights and absolute(asked.inception_weights),
            ood_sets=asked.ood_sets and tuple(map(full_name, asked.ood_sets)),
            from_file=None,
        )
        return cls(plan.name, plan.storage, plan.resources, named, options)

    @property
    def space_file(self) -> Path | None:
        """The file that defines the search space, where that is `FILE.py:Class`."""
        parts = split_name(self.config.space or "")
        return None if parts is None else parts[0]

    def launch_arguments(
        self, address: str | None = None, files: str | None = None, waiting: int | None = None
    ) -> list[str]:
        """The arguments of `python -m study.launch` on the cluster, whose Ray is at `address`.

        `files` is the folder there that has the file of the space; None where its path is the same as here. `waiting`
        is the number of trials that run or wait on a cluster that grows; None where it does not.
        """
        there = replace(self.config, resume=AUTO, address=address, dry_run=False)
        if waiting is not None:
            at_once = min(waiting, there.max_concurrent or waiting)
            there = replace(there, max_concurrent=at_once, cluster_grows=True)
        parts = split_name(self.config.space or "")
        if parts is not None and files is not None:
            there = replace(there, space=f"{Path(files) / parts[0].name}:{parts[1]}")
        return to_arguments(there)


def _check(config: StudyConfig) -> None:
    """Raise `InputError` for what `study.launch` takes and a submission does not."""
    if config.check or config.list_all:
        raise InputError("--check and --list are for study.launch: leave them out.")
    if config.resume not in (None, AUTO):
        raise InputError(f"a submitted study continues by itself: say --name {config.resume} instead of --resume.")
    for flag, url in (("--optuna-storage", config.optuna_storage), ("--tracking-uri", config.tracking_uri)):
        if url is not None and holds_password(url):
            raise InputError(
                f"{flag} holds a password, which others could read on the cluster: leave it out (docs/cluster.md, "
                '"Passwords").'
            )
