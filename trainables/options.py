"""The options of a command line: the fields of dataclasses, read by tyro, and the help that shows them."""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, make_dataclass
from inspect import getdoc
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import docstring_parser
import tyro

PLACEHOLDERS = {int: "N", float: "NUMBER", str: "NAME", Path: "PATH"}
"""What stands in the help for a value of a type."""

WIDEST = 100
"""Letters in a line of the help: longer ones are hard to read."""
COLUMN = 25
"""Letters before the descriptions. What is longer has a line of its own."""
NO_BREAK = "\xa0"
"""A space at which no line ends."""

HELP = ("-h, --help", "Show this help.")


@dataclass(frozen=True)
class Option:
    """What the name and the type of a field do not say, as in `Annotated[str, Option(placeholder="TIME")]`."""

    name: str | None = None
    placeholder: str | None = None
    positional: bool = False


@dataclass(frozen=True)
class _Asked:
    """An option of a command line: a field of a dataclass."""

    field: Field
    kind: Any
    """The field's type."""
    said: Option
    description: str

    @property
    def flag(self) -> str:
        return "--" + (self.said.name or self.field.name).replace("_", "-")

    @property
    def is_required(self) -> bool:
        return self.field.default is MISSING

    @property
    def placeholder(self) -> str:
        """Empty for a flag without a value."""
        if self.said.positional:
            return self.field.name.upper()
        return self.said.placeholder or _placeholder(self.kind)

    @property
    def invocation(self) -> str:
        return self.placeholder if self.said.positional else f"{self.flag} {self.placeholder}".strip()

    @property
    def default(self) -> str:
        """The end of the description; empty where leaving the option out says nothing."""
        value = self.field.default
        values = value if isinstance(value, tuple) else (value,)
        if value in (MISSING, None) or value is False or not values:
            return ""
        shown = (f"{each:.3g}" if isinstance(each, float) else str(each) for each in values)
        return f"(default: {' '.join(shown)})"

    def for_tyro(self) -> tuple[str, Any, Any]:
        """A field of a dataclass, as `make_dataclass` takes it."""
        shown = tyro.conf.arg(
            name=self.flag.removeprefix("--"),
            metavar=self.placeholder or None,
            help=self.description,
            help_behavior_hint=self.default,
        )
        metadata = (shown, tyro.conf.Positional) if self.said.positional else (shown,)
        annotated: Any = Annotated
        return self.field.name, annotated[(self.kind, *metadata)], field(default=self.field.default)


def parse(configs: Sequence[type], prog: str, arguments: Sequence[str]) -> dict[str, Any]:
    """What the command line says: the values of the fields of the dataclasses `configs`, by name.

    An option that there is not ends the process.
    """
    options = [each.for_tyro() for group in _groups(configs).values() for each in group]
    command = make_dataclass("Command", options, kw_only=True)
    markers = (tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone)
    values = vars(tyro.cli(command, prog=prog, args=arguments, config=markers))
    return {name: _at_home(value) for name, value in values.items()}


def help_text(configs: Sequence[type], description: str, prog: str) -> str:
    """The help, as wide as the terminal.

    Its groups are the classes that have fields of their own, also as a base of another one; each group's heading is the
    docstring of its class.
    """
    groups = _groups(configs)
    width = min(shutil.get_terminal_size().columns, WIDEST)
    lines = [*_wrapped(_usage(groups, prog), width, " " * 7), ""]
    for paragraph in description.split("\n\n"):
        lines += [*_wrapped(paragraph, width), ""]
    rows = [HELP]
    for owner, options in groups.items():
        rows += [(each.invocation, _ended(each)) for each in options]
        lines += [*_wrapped(_heading(owner) if len(groups) > 1 else "options:", width)]
        lines += [*(line for row in rows for line in _row(*row, width)), ""]
        rows = []
    return "\n".join(lines[:-1])


def _usage(groups: dict[type, list[_Asked]], prog: str) -> str:
    options = [each for group in groups.values() for each in group]
    required = [each.invocation for each in options if each.is_required]
    optional = [f"[{each.invocation}]" for each in options if each.said.positional and not each.is_required]
    return " ".join([f"usage: {prog}", *required, *optional, "[options]"])


def _ended(option: _Asked) -> str:
    """The description with the default. A default, and what is typed, is not broken at its spaces."""
    text = re.sub("`.*?`", lambda found: found[0].replace(" ", NO_BREAK), option.description)
    return f"{text} {option.default.replace(' ', NO_BREAK)}".strip()


def _heading(owner: type) -> str:
    return f"{(getdoc(owner) or '').splitlines()[0].removesuffix('.')}:"


def _row(invocation: str, text: str, width: int) -> Iterator[str]:
    before = " " * (COLUMN + 2)
    first, *others = _wrapped(text, width, before, before)
    if len(invocation) < COLUMN - 1:
        yield f"  {invocation:<{COLUMN}}{first.lstrip()}"
    else:
        yield f"  {invocation}"
        yield first
    yield from others


def _wrapped(text: str, width: int, after_first: str = "", first: str = "") -> list[str]:
    lines = textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=after_first,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(NO_BREAK, " ") for line in lines]


def _groups(configs: Iterable[type]) -> dict[type, list[_Asked]]:
    """The options, by the class that has the field."""
    groups: dict[type, list[_Asked]] = {}
    for config in configs:
        hints = get_type_hints(config, include_extras=True)
        for each in fields(config):
            owner = next(one for one in config.__mro__ if each.name in vars(one).get("__annotations__", ()))
            described = {one.arg_name: one.description for one in docstring_parser.parse_from_object(owner).params}
            kind, *said = get_args(hints[each.name]) if _is(Annotated, hints[each.name]) else (hints[each.name],)
            text = " ".join((described.get(each.name) or "").split())
            groups.setdefault(owner, []).append(_Asked(each, kind, said[0] if said else Option(), text))
    return groups


def _is(form: Any, kind: Any) -> bool:
    return get_origin(kind) is form


def _placeholder(kind: Any) -> str:
    """Of values that are listed, the list; of flags without a value, none."""
    arguments = get_args(kind)
    if _is(Literal, kind):
        return "|".join(arguments)
    if NoneType in arguments:
        return _placeholder(next(each for each in arguments if each is not NoneType))
    return f"{_placeholder(arguments[0])}..." if _is(tuple, kind) else PLACEHOLDERS.get(kind, "")


def _at_home(value: Any) -> Any:
    """A path with "~" replaced: a shell leaves it in `--out=~/x`."""
    return Path(os.path.expanduser(value)) if isinstance(value, Path) else value
