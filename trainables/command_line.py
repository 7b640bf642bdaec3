"""What the command lines have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import tyro

from trainables.errors import InputError

Config = TypeVar("Config")

BAD_INPUT = 2


def run(
    config: type[Config], prog: str, action: Callable[[Config], int], arguments: Sequence[str] | None = None
) -> int:
    """Read the command line and do what it says; returns the exit status, for bad input 2 with one sentence printed.

    `prog` is how help calls the program; `arguments` are those of the process by default.
    """
    said = read(config, prog, arguments)
    return answer(lambda: action(said))


def read(config: type[Config], prog: str, arguments: Sequence[str] | None) -> Config:
    """What the command line says; help, or an option that there is not, ends the process."""
    return _at_home(tyro.cli(config, prog=prog, args=arguments, config=(tyro.conf.FlagCreatePairsOff,)))


def _at_home(said: Config) -> Config:
    """`said` with "~" replaced in its paths: a shell leaves it in `--out=~/x`."""
    changes: dict[str, Any] = {}
    for each in fields(said):  # type: ignore[arg-type]
        value = getattr(said, each.name)
        if isinstance(value, Path):
            changes[each.name] = Path(os.path.expanduser(value))
        elif is_dataclass(value):
            changes[each.name] = _at_home(value)
    return replace(said, **changes)  # type: ignore[type-var]


def answer(action: Callable[[], int]) -> int:
    """The exit status of `action`, or for bad input 2 with one sentence printed."""
    try:
        return action()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
