"""A node of a Ray cluster, in the foreground."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.systems.program import START_SECONDS, Program

RAY = Path(sys.executable).parent / "ray"
ATTEMPTS = 3
SLOW_SECONDS = 20.0
SETTLING_SECONDS = 5.0


class RayNode(Program):
    """`ray start --block`, with all that runs on the node but what nobody here asks: an autoscaler, a log monitor."""

    survives_its_test = True

    def __init__(
        self,
        log: Path,
        environment: Mapping[str, str],
        options: Sequence[object],
        prefix: Sequence[object] = (),
    ) -> None:
        """`options` are those of `ray start`; `prefix` is the command that runs it."""
        spared = ("--no-monitor", "--include-log-monitor", "false", "--dashboard-agent-listen-port", 0)
        super().__init__([*prefix, RAY, "start", "--block", *spared, *options], log, environment)

    def start(self) -> None:
        """Start it and wait until it is there.

        Parts of Ray give up when others are not there within 30 seconds, and the node ends, even just after it has said
        that it is there. On a busy machine it is therefore started again.
        """
        for _ in range(ATTEMPTS):
            earlier = len(self.screen()) if self.log.exists() else 0
            started = time.monotonic()
            super().start()
            self.until(lambda at=earlier: "--block" in self.screen()[at:] or not self.is_running(), START_SECONDS)
            if time.monotonic() - started > SLOW_SECONDS:
                time.sleep(SETTLING_SECONDS)
            if self.is_running():
                return
        raise AssertionError(f"not there after {ATTEMPTS} attempts:\n{self.screen()}")
