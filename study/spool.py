"""A queue on disk between the driver and a tracking server that may be slow or away."""

from __future__ import annotations

import itertools
import json
import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from study.records import mend, parsed
from trainables.files import write_atomically

Event = dict[str, Any]

ROOM_BYTES = 1 << 30
"""How much is kept for a server that is away. Beyond that, metrics are dropped; starts and ends of trials are not."""
TOGETHER = 32
"""Of how many waiting events those of the same trial are delivered together."""
TIDY_BYTES = 1 << 20
"""A file of this size is emptied as soon as all of it has been delivered."""


class Spool:
    """Events are appended to a file, and delivered by a thread of their own, those of a trial in order.

    `deliver` takes one event, or several of a trial that have waited together: a server that is slow is asked less
    often. What could not be delivered is tried again after `retry_seconds`, then after twice that, up to a minute.
    Events that are left when the process ends are delivered by the next `Spool` on the same folder. So an event may be
    delivered twice: for `deliver` that must be the same as once.
    """

    def __init__(
        self, folder: Path, deliver: Callable[..., None], retry_seconds: float = 1.0, room: int = ROOM_BYTES
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._events = folder / "events.jsonl"
        self._offset_file = folder / "delivered"
        self._deliver = deliver
        self._retry_seconds = retry_seconds
        self._room = room
        is_mended = mend(self._events)
        self._offset = 0 if is_mended else self._known_offset()
        self._ahead = 0
        """How many of the events after the offset have been delivered."""
        self._writer = self._events.open("ab")
        self._news = threading.Condition()
        self._closing = False
        self.last_error: Exception | None = None
        self.dropped = 0
        """Events that there was no room for."""
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        """Append an event; returns once it is written, whatever the server does."""
        with self._news:
            if self._writer.tell() > self._room and "status" not in event:
                self.dropped += 1
                return
            self._writer.write(json.dumps(event).encode() + b"\n")
            self._writer.flush()
            self._news.notify_all()

    def left(self) -> int:
        """The number of events that have not been delivered."""
        with self._events.open("rb") as file:
            file.seek(self._offset)
            return sum(1 for _ in file) - self._ahead

    def close(self, timeout: float, in_all: float = math.inf) -> int:
        """Deliver what is left, until no event arrives for `timeout` seconds, and for at most `in_all` seconds.

        Returns the number of events that remain.
        """
        with self._news:
            self._closing = True
            self._news.notify_all()
        end, before = time.monotonic() + in_all, (-1, -1)
        while self._thread.is_alive() and before != self._reached() and (rest := end - time.monotonic()) > 0:
            before = self._reached()
            self._thread.join(min(timeout, rest))
        self._writer.close()
        return self.left()

    def _reached(self) -> tuple[int, int]:
        return self._offset, self._ahead

    def _run(self) -> None:
        with self._events.open("rb") as reader:
            reader.seek(self._offset)
            while lines := self._next_lines(reader):
                if not all(self._deliver_at_last(events) for events in _by_trial(lines)):
                    break
                self._offset, self._ahead = reader.tell(), 0
        self._remember_offset()

    def _next_lines(self, reader: BinaryIO) -> list[bytes]:
        """The next events, as soon as there is one; none once the spool is closed and empty."""
        with self._news:
            while not (line := reader.readline()):
                if self._closing:
                    return []
                if self._offset > TIDY_BYTES:
                    self._writer.seek(self._writer.truncate(0))
                    self._offset = reader.seek(0)
                self._remember_offset()
                self._news.wait()
            return [line, *itertools.islice(reader, TOGETHER - 1)]

    def _known_offset(self) -> int:
        """What an earlier process delivered; it may have been killed after it emptied the file."""
        said = self._offset_file.read_bytes() if self._offset_file.exists() else b""
        offset = int(said) if said.isdigit() else 0  # a damaged file: everything is delivered again
        return offset if self._events.exists() and offset <= self._events.stat().st_size else 0

    def _remember_offset(self) -> None:
        # Only when there is nothing to do: after a crash some events are delivered again, which is harmless.
        write_atomically(self._offset_file, str(self._offset).encode())

    def _deliver_at_last(self, events: Sequence[Event]) -> bool:
        """Deliver, in as many attempts as it takes; False if the last attempt, after the spool was closed, failed."""
        wait = self._retry_seconds
        while True:
            is_last = self._closing
            try:
                self._deliver(*events)
            except Exception as error:  # whatever a server or its client comes up with
                self.last_error = error
            else:
                self.last_error = None
                self._ahead += len(events)
                return True
            if is_last:
                return False
            with self._news:
                self._news.wait_for(lambda: self._closing, timeout=wait)
            wait = min(2 * wait, 60.0)


def _by_trial(lines: Iterable[bytes]) -> list[list[Event]]:
    """The events in lines, those of a trial together."""
    found: dict[object, list[Event]] = {}
    for line in lines:
        if isinstance(event := parsed(line), dict):
            found.setdefault(event.get("trial"), []).append(event)
    return [*found.values()]
