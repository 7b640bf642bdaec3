"""The one loop that waits for something to happen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(
    condition: Callable[[], T],
    is_alive: Callable[[], bool] = lambda: True,
    log: Callable[[], str] = lambda: "",
    seconds: float = 60.0,
    every: float = 0.05,
) -> T:
    """Ask for `condition` until it is true, and return it.

    Fails with the text of `log` when what should bring it about is no longer alive, or after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        still = is_alive()  # asked first: what happened just before the end counts
        if found := condition():
            return found
        assert still, f"it has ended:\n{log()}"
        assert time.monotonic() < deadline, f"not within {seconds:g} s:\n{log()}"
        time.sleep(every)
