"""Before the first trial on a cluster: whether each node has what trials need. Failures are one sentence a node."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ray
from ray import cloudpickle
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.console import Console
from study.nodes import probe as node_probe
from study.nodes.capacity import Node, alive_nodes
from study.nodes.cluster import check_address, cluster
from study.opening import check_storage, prepare
from study.plan import StudyPlan
from study.sentences import first_line
from trainables.errors import InputError
from trainables.preparation import Preparations

DEADLINE_SECONDS = 120.0
"""How long all nodes together may take; a first import of torch over a network file system takes most of it."""

COMPARED = ("python", "ray", "torch")
"""Of these each node has to have the driver's version."""

PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}


@dataclass(frozen=True)
class NodeCheck:
    """What was found on a node: nothing, or why it is refused, as the end of a sentence about it."""

    node: Node
    failure: str | None


def require_all(checks: list[NodeCheck]) -> None:
    """Raise `InputError` with the first failure, if there is one."""
    failed = [check for check in checks if check.failure]
    if failed:
        others = f" ({len(failed) - 1} more of {len(checks)} nodes fail: --check shows them)" if failed[1:] else ""
        raise InputError(f"node {failed[0].node.address} {failed[0].failure}{others}")


def check_cluster(plan: StudyPlan, console: Console) -> int:
    """`--check`: a line for each node, and the exit status 0. Raises `InputError` as `require_all` does."""
    check_address(plan)
    check_storage(plan)
    preparations = prepare(plan, console)
    with cluster(plan):
        checks = check_nodes(plan, preparations)
    for check in checks:
        fits = check.node.fits(plan.cpus_per_trial, plan.gpus_per_trial)
        console.print(f"node {check.node}: {check.failure or f'in order, fits {fits} trials'}")
    require_all(checks)
    return 0


def check_nodes(plan: StudyPlan, preparations: Preparations) -> list[NodeCheck]:
    """Ask every node that is alive, all at once; leaves nothing behind in the storage folder."""
    protocols = [preparation.protocol.model_dump_json() for preparation in preparations.values()]
    with _probe_folder(plan) as folder, _sent_by_value():
        (folder / "driver").write_text(folder.name)
        task: dict[str, Any] = {
            "folder": str(folder),
            "cache_dir": str(plan.cache_dir),
            "protocols": protocols,
            "servers": servers(plan),
            "versions": node_probe.versions(COMPARED),
            "code": node_probe.code_digest(),
        }
        probe = ray.remote(num_cpus=0, max_retries=0)(node_probe.probe)
        nodes = alive_nodes()
        asked = [
            probe.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)).remote(node.id, task)
            for node in nodes
        ]
        deadline = time.monotonic() + DEADLINE_SECONDS
        return [
            NodeCheck(node, _failure(plan, folder, node, answer, deadline))
            for node, answer in zip(nodes, asked, strict=True)
        ]


def servers(plan: StudyPlan) -> list[tuple[str, str, int]]:
    """What a driver on any node has to reach: option, host and port, without credentials."""
    options = {"--tracking-uri": plan.config.tracking_uri, "--optuna-storage": plan.config.optuna_storage}
    found = []
    for option, uri in options.items():
        parts = urlsplit(uri or "")
        port = parts.port or PORTS.get(parts.scheme.partition("+")[0])
        if parts.hostname and port:
            found.append((option, parts.hostname, port))
    return found


@contextmanager
def _probe_folder(plan: StudyPlan) -> Iterator[Path]:
    folder = plan.storage / f".preflight-{secrets.token_hex(8)}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _sent_by_value() -> Iterator[None]:
    """A node that lacks the package can say so: the probe does not have to be imported there."""
    cloudpickle.register_pickle_by_value(node_probe)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(node_probe)


def _failure(plan: StudyPlan, folder: Path, node: Node, answer: ray.ObjectRef, deadline: float) -> str | None:
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
            f"writes to a {plan.storage} of its own, the driver does not see it: "
            "put --storage-dir on a file system that all nodes share."
        )
    return None
