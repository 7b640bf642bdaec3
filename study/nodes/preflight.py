"""Before the first trial on a cluster: whether every node has what trials need. A failure is one sentence."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ray
from ray import cloudpickle
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.nodes import probe as node_probe
from study.nodes.capacity import Node, Resources, alive_nodes
from study.sentences import first_line
from trainables.errors import InputError

DEADLINE_SECONDS = 120.0
"""How long all nodes together may take; most of it is for a first import of torch over a network file system."""

COMPARED = ("python", "ray", "torch")
"""Every node must have the driver's versions of these."""

PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}

Server = tuple[str, str, int]
"""The option that names a server, its host and its port."""


@dataclass(frozen=True)
class NodeCheck:
    """A node, and why trials cannot run there: the end of a sentence that begins with the node; None if they can."""

    node: Node
    failure: str | None


def check_nodes(
    storage: Path,
    cache_dir: Path,
    methods: Sequence[str],
    protocols: Sequence[str],
    servers: Sequence[Server],
    outside: Path | None,
    use_gpus: bool = False,
) -> list[NodeCheck]:
    """Ask all nodes of the cluster that this process is connected to, at once.

    Each node has to share the `storage` folder with the driver, have the driver's versions and code (also of the
    modules in the folder `outside`), reach the `servers`, load the `methods`, and open what the `protocols` (JSON) read
    from `cache_dir`. The storage folder stays as it was. With `use_gpus`, its GPUs have to compute.
    """
    with _probe_folder(storage) as folder, _sent_by_value():
        (folder / "driver").write_text(folder.name)
        task: dict[str, Any] = {
            "folder": str(folder),
            "cache_dir": str(cache_dir),
            "methods": list(methods),
            "protocols": list(protocols),
            "servers": list(servers),
            "versions": node_probe.versions(COMPARED),
            "code": node_probe.code_digest(),
            "outside": None if outside is None else (str(outside), node_probe.sources_digest([outside])),
        }
        probe = ray.remote(num_cpus=0, max_retries=0)(node_probe.probe)
        nodes = alive_nodes()
        asked = [
            probe.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)).remote(
                node.id, task, node.gpus if use_gpus else 0.0
            )
            for node in nodes
        ]
        deadline = time.monotonic() + DEADLINE_SECONDS
        return [
            NodeCheck(node, _failure(folder, node, answer, deadline)) for node, answer in zip(nodes, asked, strict=True)
        ]


def lines(checks: Sequence[NodeCheck], trial: Resources) -> list[str]:
    """A line for each node, for the screen."""
    return [
        f"node {check.node}: {check.failure or f'in order, fits {check.node.fits(trial)} trials'}" for check in checks
    ]


def require_all(checks: Sequence[NodeCheck]) -> None:
    """Raise `InputError` with the first failure, if there is one."""
    failed = [check for check in checks if check.failure]
    if failed:
        others = f" ({len(failed) - 1} more of {len(checks)} nodes fail: --check shows them)" if failed[1:] else ""
        raise InputError(f"node {failed[0].node.address} {failed[0].failure}{others}")


def servers(urls: Mapping[str, str | None]) -> list[Server]:
    """The servers in `urls` (option to URL), without credentials: a driver on any node has to reach them."""
    found = []
    for option, url in urls.items():
        parts = urlsplit(url or "")
        port = parts.port or PORTS.get(parts.scheme.partition("+")[0])
        if parts.hostname and port:
            found.append((option, parts.hostname, port))
    return found


@contextmanager
def _probe_folder(storage: Path) -> Iterator[Path]:
    folder = storage / f".preflight-{secrets.token_hex(8)}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _sent_by_value() -> Iterator[None]:
    """Send the probe's code with the task: a node without this package can say so."""
    cloudpickle.register_pickle_by_value(node_probe)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(node_probe)


def _failure(folder: Path, node: Node, answer: ray.ObjectRef, deadline: float) -> str | None:
    try:
        found = ray.get(answer, timeout=max(0.1, deadline - time.monotonic()))
    except GetTimeoutError:
        ray.cancel(answer, force=True)
        return f"did not answer within {DEADLINE_SECONDS:g} s: look at its load, its file systems and Ray's log there."
    except RayError as error:
        return f"was lost while it was asked ({first_line(error)}): look at Ray's log there."
    if found is not None:
        return found
    written = folder / node.id
    if not written.exists() or written.read_text() != folder.name:
        return (
            f"writes to a {folder.parent} of its own, which the driver does not see: "
            "put --storage-dir on a file system that all nodes share."
        )
    return None
