"""The configuration of a study: what a command line says, what study.json keeps, and back again."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from study.options import (
    FLAGS,
    FollowUpOptions,
    LimitOptions,
    LookOptions,
    MachineOptions,
    MeasureOptions,
    SearchOptions,
    StorageOptions,
    StudyOptions,
)
from study.outside import split_name
from trainables.errors import InputError

FORMAT = 3
"""Raise when a study of an older version can no longer be resumed."""

AUTO = "auto"
"""`--resume auto`: for batch systems, which run the same command line until the study is done."""


@dataclass(frozen=True)
class StudyConfig(
    StorageOptions,
    MachineOptions,
    MeasureOptions,
    FollowUpOptions,
    LimitOptions,
    SearchOptions,
    StudyOptions,
    LookOptions,  # a dataclass has the fields of its last base first
):
    """Run a distributed hyperparameter study of a generative model.

    For example: python -m study.launch --space gradnorm
    """


def flag_of(name: str) -> str:
    """How the command line calls a field."""
    return "--" + FLAGS.get(name, name).replace("_", "-")


def said_in(arguments: Sequence[str]) -> set[str]:
    """The fields that a command line names, also those that it gives their default value."""
    flags = {argument.partition("=")[0] for argument in arguments}
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
