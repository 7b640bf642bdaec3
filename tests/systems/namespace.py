"""A Ray cluster of several machines on one: raylets with addresses of their own in a network namespace.

The namespace has only `lo`, so nothing outside reaches it, whatever Ray binds to.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.systems.driver import Driver
from tests.systems.program import training
from tests.systems.ray_node import RayNode
from tests.systems.until import until

PORT = 6379


def why_not() -> str | None:
    """Why there can be no network namespace here; None if there can."""
    if shutil.which("ip") is None:
        return "iproute2 is not installed"
    name = f"probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode:
        return f"no network namespaces here: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "delete", name], check=True)
    return None


class Raylet(RayNode):
    """A node with an address of its own."""

    def __init__(
        self,
        log: Path,
        environment: Mapping[str, str],
        address: str,
        options: Sequence[object],
        prefix: Sequence[object],
    ) -> None:
        super().__init__(log, environment, ["--node-ip-address", address, *options], prefix)
        self.address = address

    def training(self) -> int:
        """How many trials it trains; none between two rounds, when a trial waits for the driver."""
        return len(training(self.below()))


class Nodes:
    """Raylets on 10.77.0.1, the head, and following addresses; token authentication is on."""

    def __init__(self) -> None:
        # Not under pytest's folder: the paths of Ray's sockets must stay below 108 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="nodes-"))
        self.name = self.folder.name
        token = self.folder / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        self.environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_TMPDIR": str(self.folder),
            "RAY_health_check_period_ms": "1000",  # a node that was killed is missed after 5 of them
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",  # what study/__init__.py turns off, for machines of their own
        }
        self.address = f"10.77.0.1:{PORT}"
        self.raylets: list[Raylet] = []
        _ip("netns", "add", self.name)
        _ip("-n", self.name, "link", "set", "lo", "up")

    def driver(self, storage: Path, *arguments: object, **environment: str) -> Driver:
        """A driver that joins the cluster, from inside the namespace."""
        inside = ("--address", self.address, *arguments)
        return Driver(storage, *inside, prefix=self._prefix, environment=self.environment | environment)

    def add(self, cpus: int, gpus: int = 0, prefix: tuple[str, ...] = ()) -> Raylet:
        """Start a node and wait until it has joined; `prefix` runs its commands."""
        address = f"10.77.0.{len(self.raylets) + 1}"
        _ip("-n", self.name, "address", "add", f"{address}/32", "dev", "lo")
        options: list[object] = ["--num-cpus", cpus, "--num-gpus", gpus]
        options += ["--address", self.address] if self.raylets else ["--head", "--port", PORT, "--disable-usage-stats"]
        options += [] if self.raylets else ["--include-dashboard", "false"]
        log = self.folder / f"{address}.log"
        raylet = Raylet(log, self.environment, address, options, [*self._prefix, *prefix])
        self.raylets.append(raylet)
        raylet.start()
        return raylet

    def until_lost(self, raylet: Raylet) -> None:
        """Wait until Ray misses a node that was killed: before, a driver would ask it, and say that it was lost."""
        (log,) = self.folder.rglob("gcs_server.out")
        missed = re.compile(rf"address: {re.escape(raylet.address)} .* marked dead")
        until(lambda: missed.search(log.read_text(errors="replace")), every=0.2)

    def close(self) -> None:
        """End all nodes, the head last, and remove the namespace."""
        for raylet in reversed(self.raylets):
            if raylet.is_running():
                raylet.kill_all()
        _ip("netns", "delete", self.name)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _prefix(self) -> tuple[str, ...]:
        """Runs a command inside the namespace."""
        return ("ip", "netns", "exec", self.name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
