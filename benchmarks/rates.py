"""How much one driver carries: results, suggestions and tracking events a second. docs/cluster.md turns it into sizes.

PostgreSQL is measured where it is installed (tests/systems/postgresql.py says what that takes).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import study  # noqa: F401  sets what Ray reads when it is imported

# isort: split
import optuna
from ray.tune import Trainable

from benchmarks.driver import QuietConsole
from study.config import StudyConfig
from study.events import PARENT, now_ms, trial_event
from study.optuna_storage import ask, open_storage, with_driver
from study.planning import make_plan
from study.runner import run_study
from study.runs import Runs
from study.spool import Spool
from tests.systems.mlflow_server import MlflowServer
from tests.systems.postgresql import PostgresServer, why_not

TRIALS, CONCURRENT, RESULTS = 8, 2, 200
METRICS = 30
"""About as many numbers as a result of a trial on images has."""
HISTORIES = (100, 1000)
SUGGESTIONS = 10
EVENTS = 300


class Talkative(Trainable):
    """Reports as fast as it can."""

    def setup(self, config: dict[str, Any]) -> None:
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.round = 0
        return True

    def step(self) -> dict[str, Any]:
        self.round += 1
        numbers = {f"metric_{i}": float(i + self.round) for i in range(METRICS)}
        return numbers | {"fid_lenet_best": 1.0 / self.round, "round": self.round, "done": self.round == RESULTS}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing to keep."""


def results(folder: Path) -> None:
    """A study whose trials do nothing but report."""
    plan = make_plan(
        StudyConfig(
            space="gradnorm",
            scale="smoke",
            name="rates",
            trials=TRIALS,
            max_concurrent=CONCURRENT,
            scheduler="none",
            storage_dir=folder,
        )
    )
    run_study(plan, QuietConsole(), trainable=Talkative)
    trials = optuna.load_study(study_name="rates", storage=open_storage(plan.optuna_storage)).trials
    ends = sorted(trial.datetime_complete for trial in trials if trial.datetime_complete)
    after_start = (ends[-1] - ends[CONCURRENT - 1]).total_seconds()
    print(f"results: {1000 * after_start / ((TRIALS - CONCURRENT) * RESULTS):.1f} ms each", flush=True)


def suggestions(url: Callable[[str], str], name: str) -> None:
    """The time of Optuna's ask with TPE on the main space, after histories of several lengths."""
    plan = make_plan(StudyConfig(space="gradnorm"))
    history = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(max(HISTORIES)):
        trial = history.ask()
        plan.space.suggest(trial)
        history.tell(trial, 1.0 / (1 + number % 17))
    for length in HISTORIES:
        made = optuna.create_study(storage=open_storage(url(f"optuna_{length}")))
        made.add_trials(history.trials[:length])
        started = time.perf_counter()
        for _ in range(SUGGESTIONS):
            plan.space.suggest(ask(made, "tpe", 0))
        seconds = (time.perf_counter() - started) / SUGGESTIONS
        print(f"suggestion after {length} trials, {name}: {1000 * seconds:.0f} ms", flush=True)


def events(folder: Path, uri: str, name: str) -> None:
    """Results through the spool to a tracking server."""
    runs = Runs(uri, "rates", name, folder / "artifacts" if uri.startswith("sqlite") else None)
    runs.deliver({"trial": PARENT, "time_ms": now_ms(), "status": "RUNNING"})
    spool = Spool(folder / f"spool-{name.replace(' ', '-')}", runs.deliver)
    numbers = {f"metric_{i}": float(i) for i in range(METRICS)}
    started = time.perf_counter()
    for step in range(EVENTS):
        spool.put(trial_event(step % 10, metrics=numbers, step=step))
    left = spool.close(600.0)
    seconds = time.perf_counter() - started
    print(f"tracking, {name}: {(EVENTS - left) / seconds:.0f} events of {METRICS} metrics a second", flush=True)


@contextmanager
def tracking_server(folder: Path, database: str | None = None) -> Iterator[str]:
    """A tracking server; yields its address."""
    server = MlflowServer(folder, database)
    server.start()
    try:
        yield server.uri
    finally:
        server.stop()


def main() -> None:
    """All rates, a line each."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results(folder / "outputs")
        suggestions(lambda database: str(folder / database), "journal")
        events(folder, f"sqlite:///{folder / 'mlflow.db'}", "SQLite file")
        with tracking_server(folder / "server") as uri:
            events(folder, uri, "server on SQLite")
        if reason := why_not():
            print(f"PostgreSQL was left out: {reason}")
            return
        database = PostgresServer("rates")
        try:
            database.start()
            suggestions(database.create, "PostgreSQL")
            events(folder, with_driver(database.create("mlflow")), "PostgreSQL")
            with tracking_server(folder / "server-postgresql", with_driver(database.create("tracking"))) as uri:
                events(folder, uri, "server on PostgreSQL")
        finally:
            database.stop()
