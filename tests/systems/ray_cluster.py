"""A Ray cluster with a dashboard, on loopback, and `python -m study.submit --backend ray-job` for it."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Literal

from tests.systems.program import START_SECONDS, Program, free_port
from tests.systems.ray_node import RAY, RayNode


class RayCluster(RayNode):
    """A head with a token of its own; nothing of it listens beyond loopback."""

    def __init__(self, folder: Path, mode: Literal["token", "disabled"] = "token") -> None:
        """`mode` is how Ray tells who may connect."""
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        self._token = token.read_text() if mode == "token" else ""
        self._scratch = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # pytest's folders are too long for Ray's sockets
        port, dashboard, client = (free_port() for _ in range(3))
        self.address = f"http://127.0.0.1:{dashboard}"
        options: list[object] = ["--head", "--node-ip-address", "127.0.0.1", "--port", port]
        options += ["--dashboard-host", "127.0.0.1", "--dashboard-port", dashboard]
        options += ["--ray-client-server-port", client, "--num-cpus", 2, "--temp-dir", self._scratch]
        self.of_clients = {"RAY_AUTH_MODE": mode, "RAY_AUTH_TOKEN_PATH": str(token), "RAY_USAGE_STATS_ENABLED": "0"}
        environment = self.of_clients | {
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            "PATH": f"{RAY.parent}:{os.environ['PATH']}",  # where jobs find Python
        }
        super().__init__(folder / "ray.log", environment, options)

    def start(self) -> None:
        """Start it and wait until it takes jobs."""
        super().start()
        self.until_it_answers()

    def until_it_answers(self) -> None:
        """Wait until it takes jobs."""
        self.until(self.answers, START_SECONDS)

    def answers(self) -> bool:
        """Whether it takes jobs: its dashboard answers before that."""
        request = urllib.request.Request(f"{self.address}/api/jobs/")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                return response.status == 200
        except OSError:
            return False

    def stop(self) -> None:
        """End it with all that runs in it, and remove its files."""
        super().stop()
        shutil.rmtree(self._scratch, ignore_errors=True)


class Submit(Program):
    """`python -m study.submit` for a cluster, in a process of its own."""

    def __init__(self, cluster: RayCluster, log: Path, *arguments: object, **environment: str) -> None:
        command = [sys.executable, "-m", "study.submit", "--backend", "ray-job", "--address", cluster.address]
        super().__init__([*command, *arguments], log, cluster.of_clients | environment)
