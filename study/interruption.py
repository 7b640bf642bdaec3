"""Signals that end a study cleanly: Ctrl-C, and what batch systems send before they kill."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

CLEAN_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)


class Interruption:
    """The signal that asked the study to stop, None so far."""

    received: signal.Signals | None = None

    @property
    def exit_status(self) -> int:
        """128 + the signal's number, as shells expect; 0 without a signal."""
        return 128 + self.received if self.received else 0


@contextmanager
def clean_stop(before: Callable[[], None]) -> Iterator[Interruption]:
    """Turn the signals into SIGUSR1, on which Ray Tune stops; `before` is called first.

    Enter it after `ray.init`, which installs handlers of its own. A second signal ends the process at once.
    """
    interruption = Interruption()
    previous = {number: signal.getsignal(number) for number in CLEAN_STOP}

    def handle(number: int, frame: FrameType | None) -> None:
        interruption.received = signal.Signals(number)
        for each in CLEAN_STOP:
            signal.signal(each, signal.SIG_DFL)
        before()
        os.kill(os.getpid(), signal.SIGUSR1)

    for number in CLEAN_STOP:
        signal.signal(number, handle)
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
