"""The options of a command line: the fields of dataclasses, read by argparse, and the help that shows them."""

from __future__ import annotations

import argparse
import ast
import difflib
import re
import shutil
import textwrap
from collections.abc import Collection, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from functools import partial
from inspect import getdoc, getsource
from itertools import pairwise
from os.path import expanduser
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from trainables.errors import InputError, lookup

PLACEHOLDERS = {int: "N", float: "NUMBER", str: "NAME", Path: "PATH"}
"""What stands in the help for a value of a type."""
NUMBERS = {int: "a whole number", float: "a number"}

WIDEST = 100
"""Letters in a line of the help: longer ones are hard to read."""
COLUMN = 27
"""Letters before the descriptions. What is longer has a line of its own."""
NO_BREAK = "\xa0"
"""A space at which no line ends."""


@dataclass(frozen=True)
class Option:
    """What the name and the type of a field do not say, as in `Annotated[str, Option(placeholder="TIME")]`."""

    name: str | None = None
    placeholder: str | None = None
    positional: bool = False


class Parser(argparse.ArgumentParser):
    """Reads the fields of the dataclasses `configs` from a command line.

    The groups of the help are the classes that have fields of their own, also as a base of another one; each group's
    heading is the docstring of its class. The help leaves out the fields `hidden`, which the program refuses.
    """

    def __init__(self, configs: Sequence[type], description: str, prog: str, hidden: Collection[str] = ()) -> None:
        super().__init__(
            prog,
            description=description,
            formatter_class=_Formatter,
            add_help=False,
            allow_abbrev=False,
            exit_on_error=False,
        )
        self.options: list[argparse.Action] = []
        owners = _owners(configs)
        for owner, own in owners.items():
            heading = (getdoc(owner) or "").splitlines()[0].removesuffix(".")
            group = self.add_argument_group(heading if len(owners) > 1 else "options")
            if not self.options:
                group.add_argument("-h", "--help", action="help", help="Show this help.")
            hints, texts = get_type_hints(owner, include_extras=True), _descriptions(owner)
            added = [_add(group, each, hints[each.name], texts.get(each.name, "")) for each in own]
            for option in added:
                option.help = argparse.SUPPRESS if option.dest in hidden else option.help
            self.options += added
        self.required = [each for each in self.options if each.default is MISSING]
        optional = [each for each in self.options if not each.option_strings and each not in self.required]
        words = [*map(_invocation, self.required), *(f"[{_invocation(each)}]" for each in optional)]
        self.usage = " ".join([prog, *words, "[options]"])

    def read(self, arguments: Sequence[str]) -> dict[str, Any]:
        """The values of the fields, by name; raises `InputError`."""
        try:
            read, others = self.parse_known_intermixed_args(arguments)
        except argparse.ArgumentError as error:
            option = next(each for each in self.options if error.argument_name in each.option_strings)
            takes = f"needs a value: {_invocation(option)}" if option.metavar else "takes no value"
            raise InputError(f"{error.argument_name} {takes}.") from None
        if others:
            raise InputError(self._unknown(others))
        said = vars(read)
        if missing := [_invocation(each) for each in self.required if said[each.dest] is MISSING]:
            raise InputError(f"say {' and '.join(missing)}: --help shows what that is.")
        return {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}

    def _unknown(self, others: Sequence[str]) -> str:
        name = next((each.partition("=")[0] for each in others if each.startswith("-")), None)
        if name is None:
            return f"{others[0]!r} belongs to no option: --help shows what each one takes."
        flags = [flag for each in self.options for flag in each.option_strings]
        near = difflib.get_close_matches(name, flags, n=1, cutoff=0.7)
        return f"there is no option {name}: {f'did you mean {near[0]}? ' if near else ''}--help shows all."


class _Formatter(argparse.HelpFormatter):
    """Breaks a paragraph once, and neither in what is typed nor in a default."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=COLUMN, width=min(shutil.get_terminal_size().columns, WIDEST))

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        return str(action.metavar)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join("\n".join(self._split_lines(each, width)) for each in text.split("\n\n"))

    def _split_lines(self, text: str, width: int) -> list[str]:
        kept = re.sub(r"`.*?`|\(default: .*?\)", lambda found: found[0].replace(" ", NO_BREAK), " ".join(text.split()))
        lines = textwrap.wrap(kept, width, break_long_words=False, break_on_hyphens=False)
        return [line.replace(NO_BREAK, " ") for line in lines]


def _owners(configs: Sequence[type]) -> dict[type, list[Field]]:
    """The fields of `configs`, by the class that they are from."""
    owners: dict[type, list[Field]] = {}
    for config in configs:
        for each in fields(config):
            owner = next(c for c in reversed(config.__mro__) if each.name in getattr(c, "__dataclass_fields__", ()))
            owners.setdefault(owner, []).append(each)
    return owners


def _descriptions(owner: type) -> dict[str, str]:
    """The docstrings of a class's own fields."""
    definition = ast.parse(textwrap.dedent(getsource(owner))).body[0]
    return {
        ast.unparse(one.target): ast.literal_eval(following.value)
        for one, following in pairwise(ast.iter_child_nodes(definition))
        if isinstance(one, ast.AnnAssign) and isinstance(following, ast.Expr)
    }


def _add(group: argparse._ArgumentGroup, field: Field, hint: Any, description: str) -> argparse.Action:
    kind, option = get_args(hint) if get_origin(hint) is Annotated else (hint, Option())
    kind = get_args(kind)[0] if NoneType in get_args(kind) else kind
    is_list = get_origin(kind) is tuple
    kind = get_args(kind)[0] if is_list else kind
    name = field.name.upper() if option.positional else "--" + (option.name or field.name).replace("_", "-")
    text = f"{description} {_default(field.default)}".strip().replace("%", "%%")
    settings: dict[str, Any] = {"default": field.default, "help": text}
    if kind is bool:
        return group.add_argument(name, dest=field.name, action="store_true", **settings)
    settings["type"] = partial(_value, kind, name)
    if option.positional:
        return group.add_argument(field.name, metavar=name, nargs="?", **settings)
    placeholder = option.placeholder or ("|".join(get_args(kind)) or PLACEHOLDERS[kind]) + "..." * is_list
    nargs = "*" if is_list else None
    return group.add_argument(name, dest=field.name, metavar=placeholder, nargs=nargs, **settings)


def _default(value: Any) -> str:
    """The end of the description; empty where leaving the option out says nothing."""
    values = value if isinstance(value, tuple) else (value,)
    if value in (MISSING, None) or value is False or not values:
        return ""
    shown = (f"{each:.3g}" if isinstance(each, float) else str(each) for each in values)
    return f"(default: {' '.join(shown)})"


def _value(kind: Any, option: str, text: str) -> Any:
    """What `text` says; raises `InputError`. A path has "~" replaced: a shell leaves it in `--out=~/x`."""
    if choices := get_args(kind):
        return lookup(f"value of {option}", text, {choice: choice for choice in choices})
    try:
        return kind(expanduser(text) if kind is Path else text)
    except ValueError:
        raise InputError(f"{option} takes {NUMBERS[kind]}, not {text!r}.") from None


def _invocation(option: argparse.Action) -> str:
    return " ".join([*option.option_strings, str(option.metavar)])
