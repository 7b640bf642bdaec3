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
    """Read the command line and do what it says; returns the exit status, for bad input 2 with one sentence printed.

    `prog` is how help calls the program; `arguments` are those of the process by default.
    """
    said = tyro.cli(config, prog=prog, args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    try:
        return action(said)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
