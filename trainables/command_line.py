"""What the command lines have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import tyro

from trainables.errors import InputError

Config = TypeVar("Config")

BAD_INPUT = 2


def run(
    config: type[Config], prog: str, action: Callable[[Config], int], arguments: Sequence[str] | None = None
) -> int:
    """Read the command line and run `action`; returns the exit status: for bad input 2, with one sentence printed.

    `prog` is the program's name in the help; `arguments` are the process's own by default.
    """
    said = read(config, prog, arguments)
    return answer(lambda: action(said))


def read(config: type[Config], prog: str, arguments: Sequence[str] | None) -> Config:
    """The options of a command line; `--help`, or an unknown option, ends the process."""
    return tyro.cli(config, prog=prog, args=arguments, config=(tyro.conf.FlagCreatePairsOff,))


def answer(action: Callable[[], int]) -> int:
    """The exit status of `action`: for bad input 2, with one sentence printed."""
    try:
        return action()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
