"""A node of a Ray cluster, in the foreground."""

from __future__ import annotations

import time

from tests.systems.program import START_SECONDS, Program

ATTEMPTS = 3
SLOW_SECONDS = 20.0
SETTLING_SECONDS = 5.0


class RayNode(Program):
    """`ray start --block`, with all that runs on the node."""

    survives_its_test = True

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
