"""python -m tests.integration.outage [SECONDS]: a study whose tracking server is stopped for a while and comes back."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.systems.driver import Driver
from tests.systems.mlflow_server import MlflowServer
from tests.systems.outcome import PARENT, Outcome, check_complete
from trainables.training import SECONDS


def run_with_outage(
    storage: Path, server: MlflowServer, arguments: tuple[str, ...], after: str, seconds: float
) -> float:
    """Run a study, stop the server for `seconds` once `after` is on the screen; returns the study's wall time."""
    driver = Driver(storage, *arguments, "--tracking-uri", server.uri)
    started = time.monotonic()
    driver.start()
    driver.until_shown(after)
    if seconds:
        server.stop()
        time.sleep(seconds)
        assert driver.is_running(), "the study ended before the server was back: nothing was tried"
        server.start()
    assert driver.wait() == 0, driver.screen()
    assert "did not reach" not in driver.screen()
    return time.monotonic() - started


def seconds_in_trials(outcome: Outcome) -> float:
    """What the trials of a study spent on training, evaluations and checkpoints, by their last metrics."""
    return sum(found[name] for trial, found in outcome.metrics.items() if trial != PARENT for name in SECONDS)


def main(seconds: float = 60.0, trials: int = 9) -> None:
    """The same study with and without an outage: wall time, the part of it outside the trials, what has arrived.

    One trial at a time leaves a core to the server, whose start takes ten seconds of computing. The time outside the
    trials is what the driver can lose by an outage; that of the trials differs from run to run.
    """
    study = ("--space", "gradnorm", "--trials", str(trials), "--scheduler", "none", "--max-concurrent", "1")
    with tempfile.TemporaryDirectory() as folder:
        server = MlflowServer(Path(folder) / "server")
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
