"""What a node runs to check itself.

The driver sends this code to the node, so it imports only Python's own library until it has found the project there.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import platform
import socket
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

CONNECT_SECONDS = 10.0
CODE = ("trainables", "search_spaces", "study")


def probe(node_id: str, task: dict[str, Any], gpus: float = 0.0) -> str | None:
    """Use the storage folder, reach the servers, compare versions and code, load methods and data, use the GPUs.

    Returns why trials cannot run on the node, as the end of a sentence about it; None if they can.
    """
    return (
        storage_failure(Path(task["folder"]), node_id)
        or server_failure(task["servers"])
        or version_failure(task["versions"])
        or code_failure(task["code"])
        or outside_failure(task["outside"])
        or method_failure(task["methods"])
        or data_failure(task["protocols"], Path(task["cache_dir"]))
        or (device_failure() if gpus else None)
    )


def storage_failure(folder: Path, node_id: str) -> str | None:
    """Read the driver's file, and write another one beside it."""
    shared = "put --storage-dir on a file system that all nodes share."
    try:
        if (folder / "driver").read_text() != folder.name:
            return f"reads something else than the driver writes to {folder.parent}: {shared}"
    except OSError as error:
        return f"does not see what the driver writes to {folder.parent} ({error.strerror}): {shared}"
    try:
        (folder / node_id).write_text(folder.name)
    except OSError as error:
        return f"cannot write to {folder.parent} ({error.strerror}): make it writable there for the user that runs Ray."
    return None


def server_failure(servers: list[tuple[str, str, int]]) -> str | None:
    """Connect to every server."""
    for option, host, port in servers:
        try:
            socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
        except OSError as error:
            return (
                f"does not reach {host}:{port} ({error.strerror or error}): "
                f"name a server in {option} that every node reaches."
            )
    return None


def version_failure(wanted: dict[str, str | None]) -> str | None:
    """Compare the versions here with the driver's."""
    for name, found in versions(wanted).items():
        if found != wanted[name]:
            return f"has {name} {found}, the driver {wanted[name]}: install the same version there."
    return None


def code_failure(wanted: str | None) -> str | None:
    """Compare the project's code here with the driver's, and import it."""
    found = code_digest()
    if found is None:
        return "cannot import this project: install it there, in the Python that runs Ray."
    if found != wanted:
        return f"runs other code than the driver, from {code_folder()}: install the same version of this project there."
    try:
        importlib.import_module("trainables.trial")
    except Exception as error:
        return f"cannot import this project ({error!r}): install it there with all it needs."
    return None


def outside_failure(outside: tuple[str, str] | None) -> str | None:
    """Compare the modules in the folder `outside` with the driver's, and let them be imported."""
    if outside is None:
        return None
    folder, wanted = outside
    if sources_digest([Path(folder)]) != wanted:
        return f"has other files in {folder} than the driver: put --storage-dir on a file system that all nodes share."
    importlib.import_module("trainables.registry").look_in(folder)
    return None


def method_failure(names: list[str]) -> str | None:
    """Import the classes of the methods."""
    base = importlib.import_module("trainables.methods.base")
    for name in names:
        try:
            base.method_class(name)
        except Exception as error:
            return f"cannot load method {name!r} ({error}): install what it needs there."
    return None


def data_failure(protocols: list[str], cache_dir: Path) -> str | None:
    """Open what trials read."""
    preparation = importlib.import_module("trainables.preparation")
    for protocol in protocols:
        try:
            preparation.open_prepared(protocol, cache_dir)
        except Exception as error:
            return f"cannot open what was prepared in {cache_dir} ({error}): let all nodes share the folder."
    return None


def device_failure() -> str | None:
    """Run a kernel on every GPU."""
    failure = importlib.import_module("trainables.devices").gpu_failure()
    return f"has GPUs, and {failure}" if failure else None


def versions(names: Iterable[str]) -> dict[str, str | None]:
    """The versions of Python and of packages here, None for a package that is not installed."""
    return {name: platform.python_version() if name == "python" else installed(name) for name in names}


def installed(package: str) -> str | None:
    """The version of a package, None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def code_digest() -> str | None:
    """A hash of the project's sources, None where they cannot be found."""
    folders = []
    for package in CODE:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            return None
        folders.append(Path(next(iter(spec.submodule_search_locations))))
    return sources_digest(folders)


def sources_digest(folders: Iterable[Path]) -> str:
    """A hash of the Python files in `folders`, with their names."""
    digest = hashlib.sha256()
    for folder in folders:
        for source in sorted(folder.rglob("*.py")):
            digest.update(str(source.relative_to(folder.parent)).encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()


def code_folder() -> str:
    """Where the project is imported from; "nowhere" if it is not."""
    spec = importlib.util.find_spec(CODE[0])
    return str(Path(spec.origin).parents[1]) if spec and spec.origin else "nowhere"
