"""A node of a Ray cluster, in the foreground."""

from __future__ import annotations

from tests.systems.program import START_SECONDS, Program

ATTEMPTS = 3
"""Ray gives a node up that is not there within 30 seconds, which it may need on a busy machine."""


class RayNode(Program):
    """`ray start --block`, with all that runs on the node."""

    survives_its_test = True

    def start(self) -> None:
        """Start it, again if Ray gives up, and wait until it is there."""
        for _ in range(ATTEMPTS):
            earlier = len(self.screen()) if self.log.exists() else 0
            super().start()
            self.until(lambda at=earlier: "--block" in self.screen()[at:] or not self.is_running(), START_SECONDS)
            if self.is_running():
                return
        raise AssertionError(f"not there after {ATTEMPTS} attempts:\n{self.screen()}")
