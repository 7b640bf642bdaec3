"""A Ray cluster of several machines on one: raylets with addresses of their own in a network namespace.

The namespace has only `lo`, so nothing outside reaches it, whatever Ray binds to.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from soak import descendants

PORT = 6379
START_SECONDS = 60


def reason_to_skip() -> str | None:
    """Why there can be no network namespace here; None if there can."""
    if shutil.which("ip") is None:
        return "iproute2 is not installed"
    name = f"probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode:
        return f"no network namespaces here: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "delete", name], check=True)
    return None


class Cluster:
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
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",  # what study/__init__.py turns off, for machines of their own
        }
        self.address = f"10.77.0.1:{PORT}"
        self.nodes: list[subprocess.Popen] = []
        self._ip("netns", "add", self.name)
        self._ip("-n", self.name, "link", "set", "lo", "up")

    @property
    def prefix(self) -> tuple[str, ...]:
        """Runs a command inside the namespace."""
        return ("ip", "netns", "exec", self.name)

    def add(self, cpus: int, gpus: int = 0, prefix: tuple[str, ...] = ()) -> str:
        """Start a node, wait until it has joined, and return its address; `prefix` runs its commands."""
        address = f"10.77.0.{len(self.nodes) + 1}"
        self._ip("-n", self.name, "address", "add", f"{address}/32", "dev", "lo")
        where = ["--address", self.address] if self.nodes else ["--head", "--port", str(PORT)]
        command = [*self.prefix, *prefix, str(Path(sys.executable).parent / "ray"), "start", "--block", *where]
        command += ["--node-ip-address", address, "--num-cpus", str(cpus), "--num-gpus", str(gpus)]
        command += ["--include-dashboard", "false", "--disable-usage-stats"] if not self.nodes else []
        log = self.folder / f"{address}.log"
        with log.open("wb") as output:
            node = subprocess.Popen(
                command, stdout=output, stderr=output, env=os.environ | self.environment, start_new_session=True
            )
        self.nodes.append(node)
        deadline = time.monotonic() + START_SECONDS
        while "--block" not in log.read_text():
            assert node.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        return address

    def kill(self, number: int) -> None:
        """Kill -9 all of node `number`: its raylet, its agents and its trials."""
        node = self.nodes[number]
        for pid in [node.pid, *descendants(node.pid)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        node.wait()

    def close(self) -> None:
        """End all nodes, the head last, and remove the namespace."""
        for number in reversed(range(len(self.nodes))):
            if self.nodes[number].poll() is None:
                self.kill(number)
        self._ip("netns", "delete", self.name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ip(self, *arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True)
