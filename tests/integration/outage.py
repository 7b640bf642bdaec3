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

from study.tracking import PARENT
from trainables.training import SECONDS

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


def seconds_in_trials(outcome: Outcome) -> float:
    """What the trials of a study spent on training, evaluations and checkpoints, by their last metrics."""
    runs = [found[0] for trial, found in outcome.runs.items() if trial != PARENT]
    return sum(run.data.metrics[name] for run in runs for name in SECONDS)


def main(seconds: float = 60.0, trials: int = 9) -> None:
    """The same study with and without an outage: wall time, the part of it outside the trials, what has arrived.

    One trial at a time leaves a core to the server, whose start takes ten seconds of computing. The time outside the
    trials is what the driver can lose by an outage; that of the trials differs from run to run.
    """
    study = ("--space", "gradnorm", "--trials", str(trials), "--scheduler", "none", "--max-concurrent", "1")
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "server")
        server.start()
        try:
            walls, outside = {}, {}
            for name, away in (("first", 0.0), ("undisturbed", 0.0), ("disturbed", seconds)):
                after = f"[  1/{trials}]"
                walls[name] = run_with_outage(Path(folder), server, (*study, "--name", name), after, away)
                outcome = Outcome.of(Path(folder), name, server.uri)
                check_complete(outcome, trials, [46 * n for n in range(1, 8)])
                outside[name] = walls[name] - seconds_in_trials(outcome)
        finally:
            server.stop()
    for what, times in (("wall time", walls), ("outside the trials", outside)):
        growth = times["disturbed"] - times["undisturbed"]
        print(
            f"server away for {seconds:g} s, {what}: {times['disturbed']:.1f} s instead of "
            f"{times['undisturbed']:.1f} s ({growth:+.1f} s)"
        )
    print(f"nothing is missing; the first run, with its preparation, took {walls['first']:.1f} s")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
