"""MLflow's tracking server."""

from __future__ import annotations

import sys
import urllib.request
from pathlib import Path

from tests.systems.program import Server, command_line, descendants, free_port


class MlflowServer(Server):
    """Its files are in `folder`; its runs too, or in a database."""

    def __init__(self, folder: Path, database: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.uri = f"http://127.0.0.1:{port}"
        command: list[object] = [Path(sys.executable).parent / "mlflow", "server", "--host", "127.0.0.1"]
        command += ["--port", port, "--workers", 1, "--artifacts-destination", folder / "artifacts"]
        command += ["--backend-store-uri", database or f"sqlite:///{folder / 'mlflow.db'}"]
        super().__init__(command, folder / "server.log", {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
        self._has_started = False

    def start(self) -> None:
        """Start it and wait until it answers.

        `mlflow server` puts its options into the environment of uvicorn. The next start is one of uvicorn alone: it has
        the same command line and environment, and takes half as long.
        """
        super().start()
        if not self._has_started:
            (uvicorn,) = descendants(self.process.pid)
            self.command = command_line(uvicorn).decode().rstrip("\0").split("\0")
            self.environment = dict(
                line.partition("=")[::2] for line in Path(f"/proc/{uvicorn}/environ").read_text().split("\0") if line
            )
            self._has_started = True

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as response:
                return response.status == 200
        except OSError:
            return False

    def stop(self) -> None:
        """Kill it with its workers: requests that wait would keep it for a while."""
        if self.is_running():
            self.kill_all()
