"""`python -m study.launch` in a process of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.systems.program import Program, training


class Driver(Program):
    """A study's driver; its output goes to files beside the storage.

    When it is killed, Ray's processes notice and end by themselves. While it is paused, its trials wait for it.
    """

    def __init__(
        self,
        storage: Path,
        *arguments: object,
        prefix: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        report: bool = False,
    ) -> None:
        """`prefix` is the command that runs it, as in `ip netns exec NAME`; `report`: whether it writes one."""
        log = storage / f"driver-{time.monotonic_ns()}.log"
        command: list[object] = [*prefix, sys.executable, "-m", "study.launch", "--storage-dir", storage]
        command += [*arguments, *([] if report else ["--no-report"])]
        super().__init__(command, log, environment, error_log=log.with_suffix(".err"))

    def workers(self) -> list[int]:
        """The processes in which trials are being trained."""
        return training(self.below())
