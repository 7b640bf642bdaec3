"""python -m study.submit --backend slurm --space gradnorm: a study as a job of a cluster."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from study.config import StudyConfig, said_in
from study.submit.backend import Backend, flag
from study.submit.kuberay import KubeRay
from study.submit.ray_job import RayJob
from study.submit.slurm import Slurm
from trainables.command_line import STORAGE, answer, read_all
from trainables.errors import InputError, lookup

PROGRAM = "python -m study.submit"
DESCRIPTION = "Submit a study to a cluster. Whenever its job starts, the study continues, until it is done."
BACKENDS: dict[str, Backend[Any]] = {"slurm": Slurm(), "ray-job": RayJob(), "kuberay": KubeRay()}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: 2 for bad input, with nothing submitted.

    Otherwise 0, or the study's where the back end follows it to its end.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--backend", nargs="?")
    chosen, others = parser.parse_known_args(arguments)
    parser.add_argument("--storage-dir", nargs="?", type=Path, default=STORAGE, const=STORAGE)
    storage = parser.parse_known_args(arguments)[0].storage_dir.expanduser()
    return answer(lambda: submit(chosen.backend, others), storage)


def submit(name: str | None, arguments: Sequence[str]) -> int:
    """Run the back end `name` with `arguments`, all besides `--backend`; raises `InputError`."""
    if name is None and {"-h", "--help"} & set(arguments):
        print(overview())
        return 0
    if name is None:
        raise InputError(f"choose a back end with --backend: {', '.join(BACKENDS)}.")
    backend = lookup("back end", name, BACKENDS)
    refuse_foreign(name, arguments)
    kinds = (backend.options_class, StudyConfig)
    options, study = read_all(kinds, DESCRIPTION, f"{PROGRAM} --backend {name}", arguments, hidden=backend.refused)
    return backend.run(study, options, said_in(arguments))


def overview() -> str:
    """The help without `--backend`."""
    lines = [f"usage: {PROGRAM} --backend NAME [options]", "", "Submit a study to a cluster, by one of the back ends:"]
    lines += [f"  {name:<10}{backend.summary}" for name, backend in BACKENDS.items()]
    return "\n".join([*lines, "", f"`{PROGRAM} --backend NAME --help` shows its options and the study's."])


def refuse_foreign(name: str, arguments: Sequence[str]) -> None:
    """Raise `InputError` for the first option that only other back ends than `name` have."""
    own = {flag(field.name) for field in fields(BACKENDS[name].options_class)}
    for argument in arguments:
        option = argument.partition("=")[0]
        having = [other for other, b in BACKENDS.items() if option in {flag(f.name) for f in fields(b.options_class)}]
        if having and option not in own:
            raise InputError(
                f"{option} is not an option of --backend {name}, but of {' and '.join(having)}: leave it out."
            )


if __name__ == "__main__":
    sys.exit(main())
