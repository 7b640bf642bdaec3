"""What the command lines have in common."""

from __future__ import annotations

import os
import select
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from datetime import datetime
from inspect import getdoc
from pathlib import Path
from typing import Any, TypeVar, cast

from trainables.credentials import without_credentials
from trainables.errors import InputError
from trainables.options import Parser

Config = TypeVar("Config")

STORAGE = Path("outputs")
"""The storage folder of a command line that names no other."""

BAD_INPUT = 2
UNEXPECTED = 1
UNREAD = 128 + signal.SIGPIPE
"""Of a command whose output nobody reads any more: what a shell reports for programs that this ends."""


def run(
    config: type[Config], prog: str, action: Callable[[Config], int], arguments: Sequence[str] | None = None
) -> int:
    """Read the command line and run `action`; returns the exit status: for bad input 2, with one sentence printed.

    `prog` is the program's name in the help; `arguments` are the process's own by default.
    """

    def read_and_act() -> int:
        said = read(config, prog, arguments)
        return answer(lambda: action(said), getattr(said, "storage_dir", STORAGE))

    return answer(read_and_act, STORAGE)


def read(config: type[Config], prog: str, arguments: Sequence[str] | None) -> Config:
    """What the command line says; raises `InputError`, and `SystemExit` when help has been shown."""
    (said,) = read_all([config], getdoc(config) or "", prog, arguments)
    return cast(Config, said)


def read_all(
    configs: Sequence[type],
    description: str,
    prog: str,
    arguments: Sequence[str] | None,
    hidden: Collection[str] = (),
) -> list[Any]:
    """The same of several dataclasses, whose options are in one command line.

    `description` is what the help says; it leaves out the fields `hidden`.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = Parser(configs, description, prog, hidden)
    if {"-h", "--help"} & set(arguments):
        print(parser.format_help(), end="", flush=True)
        sys.exit(0)
    said = parser.read(arguments)
    return [config(**{each.name: said[each.name] for each in fields(config)}) for config in configs]


def answer(action: Callable[[], int], storage_dir: Path) -> int:
    """The exit status of `action`; for bad input 2, with one sentence printed.

    Where the reader of the output has gone, 141, and nothing is said. For an error that nobody foresaw 1, with one
    sentence, which names a file in `storage_dir` that has the traceback.
    """
    try:
        status = action()
        sys.stdout.flush()
        return status
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _is_unread():  # as in `... --list | head`
            leave_standard_output()
            return UNREAD
        name = type(error).__name__
        message = without_credentials(" ".join(f"{name}: {error}".split()))[:200]
        print(f"error: something unexpected went wrong ({message}): {_kept_traceback(storage_dir)}.", file=sys.stderr)
        return UNEXPECTED


def _is_unread() -> bool:
    """Whether standard output is a pipe whose reader has gone; a broken pipe may also be that of a connection."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), select.POLLOUT)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (OSError, ValueError):  # it is no file
        return False


def leave_standard_output() -> None:
    """Let what is printed from now on go nowhere: its reader has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _kept_traceback(storage_dir: Path) -> str:
    """Write the traceback of the error that is handled to a file, and say where that is."""
    text = without_credentials(traceback.format_exc())
    name = f"error-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    for folder in (storage_dir, Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        return f"the details are in {folder / name}"
    return f"no file could be written for the details, which are: {' | '.join(text.splitlines())}"
