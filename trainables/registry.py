"""From a name to a class or an object: a key of a table, an installed entry point, or `module:Name`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import TypeVar

from trainables.errors import InputError, lookup

T = TypeVar("T")

GROUP = "generative_study"
"""Entry points are in the groups `generative_study.spaces`, `.methods`, `.measures` and `.datasets`."""


def resolve(kind: str, name: str, table: Mapping[str, str], base: type[T]) -> type[T]:
    """The subclass of `base` with this name.

    `kind` is singular, as in "method". `table` maps short names to `module:Class`; so do the entry points of the
    kind. Only the module of the class is imported. Raises `InputError` in one sentence.
    """
    target = _target(kind, name, table)
    found = _named(kind, "class", target)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise InputError(f"{kind} {name!r} is not usable: {target} is not a subclass of {base.__name__}.")
    return found


def _target(kind: str, name: str, table: Mapping[str, str]) -> str:
    """The `module:Class` of a name; raises `InputError` for an unknown one."""
    if ":" in name:
        return name
    # To know the entry points, the files of all installed packages are read: only where they are needed.
    return table[name] if name in table else lookup(kind, name, {**installed(kind), **table})


def resolve_object(kind: str, target: str, base: type[T]) -> T:
    """The object of type `base` that `target`, `module:NAME`, names; of a function, what it returns.

    Raises `InputError` in one sentence.
    """
    found = _named(kind, "object", target)
    if callable(found) and not isinstance(found, base):
        try:
            found = found()
        except InputError:
            raise
        except Exception as error:  # whatever the code of somebody else raises
            raise InputError(f"{kind} {target!r} is not usable: calling it raised {_reason(error)}.") from error
    if not isinstance(found, base):
        raise InputError(f"{kind} {target!r} is not usable: it is not a {base.__name__}.")
    return found


def installed(kind: str) -> dict[str, str]:
    """Short names that other packages have registered for this kind, with their `module:Class`."""
    return {entry.name: entry.value for entry in entry_points(group=f"{GROUP}.{kind}s")}


def look_in(folder: str | None) -> None:
    """Let modules in `folder` be imported, where a study keeps its copies of files from outside.

    They come first: the folder in which the study was started is on Ray's path, and may have a newer version.
    """
    if folder is not None and folder not in sys.path:
        sys.path.insert(0, folder)


def _named(kind: str, what: str, target: str) -> object:
    module_name, _, name = target.partition(":")
    public = {name: value for name, value in vars(_imported(kind, module_name)).items() if not name.startswith("_")}
    return lookup(f"{what} of {module_name}", name, public)


def _imported(kind: str, module_name: str) -> object:
    try:
        return importlib.import_module(module_name)
    except Exception as error:  # whatever the code of somebody else raises
        raise InputError(f"the module {module_name!r} of the {kind} cannot be imported ({_reason(error)}).") from error


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
