"""A study whose tracking server is stopped for a while and comes back."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from soak import Driver, Outcome, check_complete

START_SECONDS = 120


class Server:
    """MLflow's tracking server on loopback, with its files in `folder`, and its runs there or in a database."""

    def __init__(self, folder: Path, database: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.database = database or f"sqlite:///{folder / 'mlflow.db'}"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [str(Path(sys.executable).parent / "mlflow"), "server", "--host", "127.0.0.1", "--workers", "1"]
        command += ["--port", str(self.port), "--backend-store-uri", self.database]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self.process.poll() is None, (self.folder / "server.log").read_text()
            assert time.monotonic() < deadline, "the tracking server did not start"
            time.sleep(0.2)

    def answers(self) -> bool:
        """Whether it is there."""
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2) as response:
                return response.status == 200
        except OSError:
            return False

    def stop(self) -> None:
        """Stop it with its workers, if it runs."""
        if self.process.poll() is not None:
            return
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def run_with_outage(storage: Path, server: Server, arguments: tuple[str, ...], after: str, seconds: float) -> float:
    """Run a study, stop the server for `seconds` once `after` is on the screen; returns the study's wall time."""
    driver = Driver(storage, (*arguments, "--tracking-uri", server.uri))
    started = time.monotonic()
    driver.start()
    assert driver.wait_until(lambda: after in driver.screen()), driver.screen()
    if seconds:
        server.stop()
        time.sleep(seconds)
        assert driver.process.poll() is None, "the study ended before the server was back: nothing was tried"
        server.start()
    assert driver.wait() == 0, driver.screen()
    assert "did not reach" not in driver.screen()
    return time.monotonic() - started


def main(seconds: float = 60.0, trials: int = 18) -> None:
    """The same study with and without an outage; both wall times, and what has arrived."""
    study = ("--space", "gradnorm", "--trials", str(trials), "--scheduler", "none")
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "server")
        server.start()
        try:
            times = {}
            for name, away in (("first", 0.0), ("undisturbed", 0.0), ("disturbed", seconds)):
                after = f"[  1/{trials}]"
                times[name] = run_with_outage(Path(folder), server, (*study, "--name", name), after, away)
                check_complete(Outcome.of(Path(folder), name, server.uri), trials, [46 * n for n in range(1, 8)])
        finally:
            server.stop()
    growth = times["disturbed"] - times["undisturbed"]
    print(
        f"server away for {seconds:g} s: {times['disturbed']:.1f} s instead of {times['undisturbed']:.1f} s "
        f"({growth:+.1f} s; the first run, with its preparation, {times['first']:.1f} s); nothing is missing"
    )


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
