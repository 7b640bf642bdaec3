"""What the numbers depend on, and the command that repeats the study."""

from __future__ import annotations

import shlex
from dataclasses import fields
from typing import Any

from study.config import StudyConfig, to_arguments
from study.loaded import LoadedStudy
from study.outside import from_its_checkout
from study.reporting.answer import storage_arguments
from study.reporting.document import Block, Commands, Section, Table, Text


def section(study: LoadedStudy) -> Section:
    """The protocol, the options, the versions, the command."""
    own = study.recorded.study
    protocol = [[name.removeprefix("params.protocol."), str(own[name])] for name in own.index if _is_protocol(name)]
    hashes = [["hash", each] for each in study.tag("protocol").split(", ")]
    options = [
        [name.removeprefix("params."), str(own[name])]
        for name in own.index
        if name.startswith("params.") and not _is_protocol(name)
    ]
    versions = [[n.removeprefix("tags.version."), str(own[n])] for n in own.index if n.startswith("tags.version.")]
    versions.append(["commit", study.tag("git_commit", "unknown")])
    blocks: list[Block] = [
        Commands([(repeat(study), "run the same study again, as a new one")])
        if study.options
        else Text("The options of the study are not among its artifacts, so the command that repeats it is not known."),
        Table(["setting", "value"], hashes + protocol, "Protocol: compare only numbers that have the same"),
        Table(["option", "value"], options, "Options of the study"),
        Table(["package", "version"], versions, "Versions"),
    ]
    return Section("Protocol, versions, command", blocks)


def repeat(study: LoadedStudy, anywhere: bool = False) -> str:
    """The command line that says the options of the study again, without its name.

    `anywhere`: as one would type it on another machine, without the storage and with files as from the checkout's root.
    """
    known = {each.name for each in fields(StudyConfig)}
    said: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in study.options.items()
        if name in known and name != "name"
    }
    if anywhere and isinstance(said.get("space"), str):
        said["space"] = from_its_checkout(said["space"])
    arguments = to_arguments(StudyConfig(**said)) + ([] if anywhere else storage_arguments(study))
    return f"python -m study.launch {shlex.join(arguments)}"


def _is_protocol(name: str) -> bool:
    return name.startswith("params.protocol.")
