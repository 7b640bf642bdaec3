"""A program in a process of its own, and what runs below it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from tests.systems.until import until

T = TypeVar("T")

DEADLINE_SECONDS = 600.0
"""No study of a test takes as long as that, on a machine however busy."""
START_SECONDS = 240.0
STOP_SECONDS = 60.0

PORTS = range(20_000, 32_000)
"""Below those that the system hands out to whoever connects, and beside those that Ray picks for its workers."""
_given: set[int] = set()


class Program:
    """A command in a session of its own, so that what it starts can be found. Its output goes to a file."""

    started: ClassVar[list[Program]] = []
    """Of this process of tests."""
    survives_its_test: ClassVar[bool] = False

    process: subprocess.Popen

    def __init__(
        self,
        command: Sequence[object],
        log: Path,
        environment: Mapping[str, str] | None = None,
        error_log: Path | None = None,
        **options: Any,
    ) -> None:
        self.command = list(map(str, command))
        self.log = log
        self.error_log = error_log
        """Where standard error goes, if not where the rest goes."""
        self.environment = os.environ | (environment or {})
        self._options = options

    def start(self) -> None:
        """Start it; the output of an earlier start stays in the file."""
        with self.log.open("ab") as log, (self.error_log or self.log).open("ab") as errors:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=errors, env=self.environment, start_new_session=True, **self._options
            )
        Program.started.append(self)

    def run(self, status: int = 0) -> str:
        """Start it and wait for its end, which has to be with this exit status; returns what it printed."""
        self.start()
        assert self.wait() == status, self.screen()
        return self.screen()

    def is_running(self) -> bool:
        """Whether it has been started and has not ended."""
        return hasattr(self, "process") and self.process.poll() is None

    def wait(self, seconds: float = DEADLINE_SECONDS) -> int:
        """Wait for its end; returns its exit status."""
        until(lambda: not self.is_running(), log=self.screen, seconds=seconds)
        return self.process.returncode

    def until(self, condition: Callable[[], T], seconds: float = DEADLINE_SECONDS) -> T:
        """Wait for a condition; fails when the program ends before."""
        return until(condition, self.is_running, self.screen, seconds, every=0.2)

    def until_shown(self, text: str) -> None:
        """Wait until it has printed `text`."""
        self.until(lambda: text in self.screen())

    def screen(self) -> str:
        """What it has printed, errors last."""
        return self.log.read_text(errors="replace") + (self.errors() if self.error_log else "")

    def errors(self) -> str:
        """What it has printed to standard error, where that has a file of its own."""
        assert self.error_log is not None
        return self.error_log.read_text(errors="replace")

    def below(self) -> list[int]:
        """All processes that it has started, and those that these have."""
        return descendants(self.process.pid)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Meanwhile the program does nothing; what it has started goes on."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill the program alone, as an out-of-memory killer would."""
        self.process.kill()
        self.process.wait()

    def kill_all(self) -> None:
        """Kill it with everything below it, as a power cut would."""
        pids = [self.process.pid, *self.below()]
        kill(pids)
        self.process.wait()

    def stop(self) -> None:
        """Ask it to end; kill what is left of it after a while."""
        if not self.is_running():
            return
        pids = self.below()
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        kill([self.process.pid, *pids])
        self.process.wait()


class Server(Program):
    """A program that listens on loopback and is there for several tests."""

    survives_its_test = True

    @abstractmethod
    def answers(self) -> bool:
        """Whether it is ready for whoever asks."""

    def start(self) -> None:
        """Start it and wait until it answers."""
        super().start()
        self.until_it_answers()

    def until_it_answers(self) -> None:
        """Wait until it is ready."""
        self.until(self.answers, START_SECONDS)


def end_those_of_the_test() -> None:
    """Kill what a test has started and not waited for: it has failed, and others need the machine."""
    for program in [*Program.started]:
        if not program.is_running():
            Program.started.remove(program)
        elif not program.survives_its_test:
            program.kill_all()


def free_port() -> int:
    """A port of loopback that nobody listens at, another one each time."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        if port in _given:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port


def kill(pids: Sequence[int]) -> None:
    """Kill -9 those of the processes that are there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """All processes below `pid`."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it has ended meanwhile
            children.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def command_line(pid: int) -> bytes:
    """What a process calls itself; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def training(pids: Sequence[int]) -> list[int]:
    """Those of the processes in which a trial is being trained. Between two rounds, a trial waits for the driver."""
    return [pid for pid in pids if b"Trainable.train" in command_line(pid)]
