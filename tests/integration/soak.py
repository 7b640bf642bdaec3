"""python -m tests.integration.soak [KILLS [TRIALS]]: a study killed at random moments and damaged in between."""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from study.searcher import MAX_RESTARTS
from tests.integration.damage import KINDS, damage
from tests.systems.driver import Driver
from tests.systems.outcome import Outcome, check_complete, check_equal

LONGEST_PAUSE = 8.0
"""How long a driver is left alone once its trials train."""


def kill_repeatedly(
    storage: Path,
    name: str,
    first: tuple[str, ...],
    kills: int,
    pause: float = LONGEST_PAUSE,
    seed: int = 0,
    damaged: bool = False,
) -> Driver:
    """Start study `name`, and kill its driver `kills` times, now and then a worker too.

    Returns the driver that goes on, which is still to be started. If `damaged`, a file is damaged after each kill, a
    kind after the other. No trial loses its process more often than it may: the study has one at a time.
    """
    chance = random.Random(seed)
    losses = 0  # of the trial that runs, at most
    driver = Driver(storage, *first, "--name", name)
    for kill in range(kills):
        driver.start()
        driver.until(lambda on=driver: on.workers() or not on.is_running())
        pause_until = time.monotonic() + chance.uniform(0.0, pause)
        kill_worker, killed = chance.random() < 0.4 and losses < MAX_RESTARTS, False
        while time.monotonic() < pause_until and driver.is_running():
            if kill_worker and chance.random() < 0.05 and (workers := driver.workers()):
                os.kill(chance.choice(workers), signal.SIGKILL)
                kill_worker, killed = False, True
            time.sleep(0.05)
        assert driver.is_running() or driver.wait() == 0, driver.screen()  # it may have been done before
        driver.kill()
        if damaged:
            damage(storage, name, KINDS[kill % len(KINDS)], chance)
        losses = killed + (0 if "] trial" in driver.screen() else losses)
        # The next driver does not wait for what the killed one has left: a trial does, for its own process.
        driver = Driver(storage, "--resume", name, *resumable(first))
    return driver


def resumable(first: tuple[str, ...]) -> tuple[str, ...]:
    """The options of the first command line that a resume repeats."""
    at = first.index("--max-concurrent") if "--max-concurrent" in first else None
    return first[at : at + 2] if at is not None else ()


def main(kills: int = 20, num_trials: int = 24) -> None:
    """`make soak`: the whole of it, with its figures."""
    study = ("--space", "gradnorm", "--scale", "smoke", "--trials", str(num_trials), "--max-concurrent", "1")
    with tempfile.TemporaryDirectory() as folder:
        storage = Path(folder)
        Driver(storage, *study, "--name", "uninterrupted").run()
        kill_repeatedly(storage, "killed", study, kills, damaged=True).run()
        outcome, expected = Outcome.of(storage, "killed"), Outcome.of(storage, "uninterrupted")
        check_complete(outcome, num_trials, [2, 4])
        check_equal(outcome, expected)
        drivers = len(list(storage.glob("driver-*.log"))) - 1
        assert drivers > kills, f"the study was done after {drivers - 1} kills: give it more trials"
        states = Counter(trial.state.name for trial in outcome.trials)
        print(
            f"{num_trials} trials ({dict(states)}), {drivers} drivers, {drivers - 1} of them killed: "
            "nothing lost, doubled or changed"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
