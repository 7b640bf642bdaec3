"""How long a study and its trials have run, over all its drivers, by the time stamps in Optuna's storage."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, replace

import optuna
from optuna.trial import FrozenTrial

from study.nodes.capacity import Resources
from study.optuna_storage import numbered

SESSIONS = "sessions"
"""The attribute of a study with a `Session` for each of its drivers."""
AGAIN_AT = "again_at"
"""The attribute of a trial with the times, in seconds since the epoch, at which it went on after its start."""
PAUSED_AT = "paused_at"
"""The attribute of a trial with the times at which it was stopped, to go on later."""


@dataclass(frozen=True)
class Session:
    """The time of one driver, in seconds since the epoch, and what each of its trials had."""

    start: float
    end: float | None
    cpus: float
    gpus: float


class Spending:
    """What is spent. Making one begins the session of this driver; `close` ends it.

    A driver that was killed counts up to the last start or end of a trial that Optuna knows.
    """

    def __init__(self, study: optuna.Study, trial: Resources, now: Callable[[], float] = time.time) -> None:
        self._study = study
        self._now = now
        sessions = [Session(*each) for each in study.user_attrs.get(SESSIONS, [])]
        if sessions and sessions[-1].end is None:
            start = sessions[-1].start
            sessions[-1] = replace(sessions[-1], end=max([start, *(t for t in self._stamps() if t > start)]))
        self._sessions = [*sessions, Session(now(), None, trial.cpus, trial.gpus)]
        self._keep()

    def close(self) -> None:
        """This driver ends."""
        self._sessions[-1] = replace(self._sessions[-1], end=self._now())
        self._keep()

    def seconds(self) -> float:
        """How long all drivers have run, in seconds."""
        return sum(self._end(session) - session.start for session in self._sessions)

    def held(self, trial: FrozenTrial) -> float:
        """How long a trial has held its CPUs and GPUs, in seconds."""
        return sum(seconds for _, seconds in self._turns(trial))

    def hours(self, *trials: FrozenTrial) -> dict[str, float]:
        """`cpu_hours`, and `gpu_hours` where GPUs were used, of some trials together."""
        turns = [turn for trial in trials for turn in self._turns(trial)]
        found = {"cpu_hours": sum(session.cpus * seconds for session, seconds in turns) / 3600}
        gpu_hours = sum(session.gpus * seconds for session, seconds in turns) / 3600
        return found | ({"gpu_hours": gpu_hours} if gpu_hours else {})

    def of_trial(self, number: int) -> dict[str, float]:
        """The `hours` of the trial of this number."""
        return self.hours(numbered(self._study, number))

    def of_study(self) -> dict[str, float]:
        """The `hours` of all trials."""
        return self.hours(*self._study.get_trials(deepcopy=False))

    def _turns(self, trial: FrozenTrial) -> Iterator[tuple[Session, float]]:
        """The sessions in which a trial ran, and for how many seconds."""
        if trial.datetime_start is None:
            return
        starts = [trial.datetime_start.timestamp(), *trial.user_attrs.get(AGAIN_AT, [])]
        over = self._now() if trial.datetime_complete is None else trial.datetime_complete.timestamp()
        ends = [*starts, *trial.user_attrs.get(PAUSED_AT, []), over]
        for start in starts:
            session = next((each for each in reversed(self._sessions) if each.start <= start), None)
            if session is not None:  # a trial of another study began before this one
                yield session, min([self._end(session), *(end for end in ends if end > start)]) - start

    def _end(self, session: Session) -> float:
        return self._now() if session.end is None else session.end

    def _stamps(self) -> Iterator[float]:
        """When trials began, went on, paused and ended."""
        for trial in self._study.get_trials(deepcopy=False):
            yield from (at.timestamp() for at in (trial.datetime_start, trial.datetime_complete) if at is not None)
            yield from (*trial.user_attrs.get(AGAIN_AT, []), *trial.user_attrs.get(PAUSED_AT, []))

    def _keep(self) -> None:
        self._study.set_user_attr(SESSIONS, [astuple(session) for session in self._sessions])


def stamp(trial: optuna.Trial, attribute: str) -> None:
    """Add the present time to an attribute of a trial: `AGAIN_AT` or `PAUSED_AT`."""
    trial.set_user_attr(attribute, [*trial.user_attrs.get(attribute, []), time.time()])
