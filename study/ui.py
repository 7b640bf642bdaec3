"""python -m study.ui: MLflow's pages of a study, with the server that shows them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated

from trainables import command_line
from trainables.credentials import without_credentials
from trainables.errors import InputError
from trainables.options import Option

HOST, PORT = "127.0.0.1", 5000
START_SECONDS = 120.0


@dataclass(frozen=True)
class UiConfig:
    """Show a study in MLflow, and print the addresses of its pages."""

    name: Annotated[str | None, Option(positional=True)] = None
    """The study; by default the newest one."""
    storage_dir: Path = Path("outputs")
    """The folder that the studies were written to."""
    tracking_uri: Annotated[str | None, Option(placeholder="URL")] = None
    """MLflow's tracking server, if the studies are on one: it is asked, and none is started."""
    port: int = PORT
    """Where the server that is started here listens, on this machine alone."""
    open: bool = False
    """Open the pages in a browser."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, or 2 for bad input."""
    return command_line.run(UiConfig, "python -m study.ui", show, arguments)


def show(config: UiConfig) -> int:
    """Print the addresses of a study's pages, open them if that is asked for, and serve them until Ctrl-C."""
    if (config.tracking_uri or "").startswith(("http://", "https://")):
        assert config.tracking_uri is not None
        _announce(config, config.tracking_uri, config.tracking_uri.rstrip("/"))
        return 0
    database = config.tracking_uri or f"sqlite:///{config.storage_dir.absolute() / 'mlflow.db'}"
    if config.tracking_uri is None and not (config.storage_dir / "mlflow.db").exists():
        raise InputError(f"there are no studies in {config.storage_dir}: start one (make study), or say --storage-dir.")
    with _server(database, config.port) as server:
        _announce(config, database, f"http://{HOST}:{config.port}")
        print("Ctrl-C ends the server.", flush=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            return server.wait()
        except KeyboardInterrupt:
            return 0


def _announce(config: UiConfig, tracking_uri: str, address: str) -> None:
    for what, url in addresses(config.name, tracking_uri, address).items():
        print(f"{what}:\n  {url}", flush=True)
        if config.open:
            webbrowser.open(url)


def addresses(name: str | None, tracking_uri: str, server: str) -> dict[str, str]:
    """The addresses of a study's pages, by what they show; without a name, of the newest study's.

    The study is read from `tracking_uri`, a server or a database, and `server` is the address that a browser opens.
    """
    # Imported late: help and bad input need no MLflow.
    from study.events import DIRECTION, FIRST_TRIAL_TAG, OBJECTIVE
    from study.mlflow_pages import COMPARED, pages
    from study.runs import newest, rows

    name = name or newest(tracking_uri)
    recorded, trials = rows(tracking_uri, name)
    objective = f"metrics.{recorded[f'tags.{OBJECTIVE}']}"
    finished = trials[trials["status"] == "FINISHED"]
    if objective in trials:
        finished = finished.sort_values(objective, ascending=recorded[f"tags.{DIRECTION}"] == "minimize")
    first = trials[trials[f"tags.{FIRST_TRIAL_TAG}"].notna()] if f"tags.{FIRST_TRIAL_TAG}" in trials else trials[:0]
    compared = [*finished["run_id"][:COMPARED], *first["run_id"]]
    return pages(without_credentials(server), recorded["experiment_id"], name, compared)


@contextmanager
def _server(database: str, port: int) -> Iterator[subprocess.Popen]:
    """MLflow's server, when it answers; raises `InputError` where it cannot be started."""
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise InputError(f"port {port} is in use: choose another --port.")
    command = [str(Path(sys.executable).parent / "mlflow"), "server", "--backend-store-uri", database]
    command += ["--host", HOST, "--port", str(port), "--workers", "1"]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(server, port, log)
            yield server
        finally:
            server.terminate()
            server.wait()


def _wait_for(server: subprocess.Popen, port: int, log: IO[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            log.seek(0)
            last = without_credentials(" ".join(log.read().split()))[-300:]
            raise InputError(f"MLflow's server did not start ({last}): check --storage-dir and --tracking-uri.")
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise InputError(f"MLflow's server did not answer within {START_SECONDS:g} s.")


if __name__ == "__main__":
    sys.exit(main())
