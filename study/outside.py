"""Spaces from outside this project: `FILE.py:Class`. The study keeps a copy of the file, and its trials use that."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from trainables.errors import InputError
from trainables.files import absolute, sha256_of, write_atomically


@dataclass(frozen=True)
class OutsideFile:
    """A Python file whose module holds a space, and methods, measures and data sets that the space names."""

    path: Path
    sha256: str

    @property
    def module(self) -> str:
        """The name under which it is imported, here and by trials."""
        return self.path.stem

    def copy_to(self, folder: Path) -> None:
        """Keep a copy in `folder`, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / self.path.name, self.path.read_bytes())


def split_name(space: str) -> tuple[Path, str] | None:
    """The file and the class of `FILE.py:Class`; None for other names of spaces. The path is made absolute."""
    path, colon, class_name = space.rpartition(":")
    if not colon and space.endswith(".py"):
        raise InputError(f"--space {space}: name the class too, as in {space}:MySpace.")
    return (absolute(Path(path)), class_name) if path.endswith(".py") else None


def with_absolute_path(space: str) -> str:
    """`space` as it is named from any folder."""
    parts = split_name(space)
    return space if parts is None else f"{parts[0]}:{parts[1]}"


def from_its_checkout(space: str) -> str:
    """`FILE.py:Class` with the file as one names it in the root of its Git checkout, if it is in one."""
    if (named := split_name(space)) is None:
        return space
    path, name = named
    for folder in path.parents:
        if (folder / ".git").exists():
            return f"{path.relative_to(folder)}:{name}"
    return space


def open_outside(path: Path) -> OutsideFile:
    """The file of a new study, imported; raises `InputError` where it is not there or cannot be imported."""
    if not path.is_file():
        raise InputError(f"there is no file {path}: check --space.")
    file = OutsideFile(path, sha256_of(path))
    if not file.module.isidentifier():
        raise InputError(f"{path.name} cannot be imported: name it with letters, digits and '_', as in my_space.py.")
    _check_is_free(file)
    _import(file)
    return file


def open_kept(folder: Path, name: str, sha256: str) -> OutsideFile:
    """The copy that a study keeps in `folder`, imported; raises `InputError` unless it is what the study began with."""
    path = folder / name
    if not path.is_file() or sha256_of(path) != sha256:
        raise InputError(f"{path} is not the file that the study was started with: bring it back, or start a new one.")
    file = OutsideFile(path, sha256)
    _import(file)
    return file


@contextmanager
def staged(file: OutsideFile | None, storage: Path) -> Iterator[Path | None]:
    """A folder in `storage` with a copy of the file, for the time before the study has a folder."""
    if file is None:
        yield None
        return
    folder = storage / f".outside-{secrets.token_hex(8)}"
    try:
        file.copy_to(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_is_free(file: OutsideFile) -> None:
    """Raise `InputError` where the name of the module means something else already."""
    found = importlib.util.find_spec(file.module)
    if found is not None and not (found.origin and os.path.exists(found.origin) and file.path.samefile(found.origin)):
        taken = f" ({found.origin})" if found.origin else ""
        raise InputError(f"a module called {file.module!r} is installed already{taken}: rename {file.path.name}.")


def _import(file: OutsideFile) -> None:
    """Import the file under its name, without its folder on the path: trials do not have this folder on their path."""
    known = sys.modules.get(file.module)
    if known is not None and getattr(known, "__sha256__", None) == file.sha256:
        return
    spec = importlib.util.spec_from_file_location(file.module, file.path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.module] = module
    before = set(sys.modules)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the code of somebody else raises
        del sys.modules[file.module]
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"{file.path} cannot be imported ({reason}).") from error
    module.__dict__["__sha256__"] = file.sha256
    for name in set(sys.modules) - before:
        if _is_beside(sys.modules[name], file.path):
            del sys.modules[file.module]
            raise InputError(
                f"{file.path} imports {name}.py, which is beside it and would not reach the trials: put both into one "
                "file, or into a package that is installed."
            )


def _is_beside(module: ModuleType | None, path: Path) -> bool:
    """Whether a module is a file in the same folder."""
    origin = getattr(module, "__file__", None)
    return origin is not None and Path(origin).parent == path.parent
