"""A study whose driver and workers are killed at random moments, and resumed until it is done."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from mlflow import MlflowClient
from mlflow.entities import Run

from study.optuna_storage import open_storage
from study.searcher import MAX_RESTARTS

DURATIONS = ("seconds_", "evaluation_share", "images_per_second", "memory_mb")
DEADLINE_SECONDS = 600


@dataclass
class Driver:
    """`python -m study.launch` in a process of its own, in its own session so that its workers can be found."""

    storage: Path
    arguments: tuple[str, ...]
    prefix: tuple[str, ...] = ()
    """The command that runs it, as in `ip netns exec NAME`."""
    environment: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """Start it; its output goes to files beside the storage."""
        self.log = self.storage / f"driver-{time.monotonic_ns()}.log"
        self.error_log = self.log.with_suffix(".err")
        command = [*self.prefix, sys.executable, "-m", "study.launch", "--storage-dir", str(self.storage)]
        command += self.arguments
        environment = os.environ | self.environment
        with self.log.open("wb") as log, self.error_log.open("wb") as errors:
            self.process = subprocess.Popen(command, stdout=log, stderr=errors, env=environment, start_new_session=True)

    def wait(self) -> int:
        """Wait for its end; returns its exit status."""
        return self.process.wait(DEADLINE_SECONDS)

    def wait_until(self, condition: Callable[[], bool]) -> bool:
        """Wait until `condition`, True, or its end, False."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if condition():
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.05)
        raise TimeoutError(self.screen())

    def screen(self) -> str:
        """What it has printed, errors last."""
        return self.log.read_text(errors="replace") + self.errors()

    def errors(self) -> str:
        """What it has printed to standard error."""
        return self.error_log.read_text(errors="replace")

    def kill(self) -> None:
        """Kill the driver alone, as an out-of-memory killer would; Ray's processes notice and end by themselves."""
        self.process.kill()
        self.process.wait()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Meanwhile the driver does nothing; its trials wait for it."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def workers(self) -> list[int]:
        """The processes in which trials are being trained."""
        return [pid for pid in descendants(self.process.pid) if b"Trainable.train" in command_line(pid)]

    def is_training(self) -> bool:
        """Whether a trial is being trained."""
        return bool(self.workers())


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


def run_with_kills(storage: Path, name: str, first: tuple[str, ...], kills: int, seed: int = 0) -> None:
    """Start study `name`, kill its driver `kills` times, now and then a worker too, and let it end.

    No trial loses its process more often than it may: the study has one at a time.
    """
    chance = random.Random(seed)
    losses = 0  # of the trial that runs, at most
    driver = Driver(storage, (*first, "--name", name))
    for _ in range(kills):
        driver.start()
        if not driver.wait_until(driver.is_training):
            break  # it was done before it could be killed
        pause_until = time.monotonic() + chance.uniform(0.0, 8.0)
        kill_worker, killed = chance.random() < 0.4 and losses < MAX_RESTARTS, False
        while time.monotonic() < pause_until and driver.process.poll() is None:
            if kill_worker and chance.random() < 0.05 and (workers := driver.workers()):
                os.kill(chance.choice(workers), signal.SIGKILL)
                kill_worker, killed = False, True
            time.sleep(0.05)
        driver.kill()
        losses = killed + (0 if "] trial" in driver.screen() else losses)
        time.sleep(2.0)  # for Ray's processes to end
        driver = Driver(storage, ("--resume", name, *resumable(first)))
    driver.start()
    if driver.wait() != 0:
        raise RuntimeError(driver.screen())


def resumable(first: tuple[str, ...]) -> tuple[str, ...]:
    """Of the first command line what is said again at a resume."""
    at = first.index("--max-concurrent") if "--max-concurrent" in first else None
    return first[at : at + 2] if at is not None else ()


@dataclass(frozen=True)
class Outcome:
    """What a study has left: trials of Optuna, runs of MLflow by trial, metric histories by trial and metric."""

    trials: list[optuna.trial.FrozenTrial]
    runs: dict[str, list[Run]]
    histories: dict[str, dict[str, list[tuple[int, float]]]]

    @classmethod
    def of(
        cls, storage: Path, name: str, tracking_uri: str | None = None, optuna_storage: str | None = None
    ) -> Outcome:
        """Read it all; from the storage folder's own files where no server or database is named."""
        where = optuna_storage or storage / f"studies/{name}/optuna.journal"
        study = optuna.load_study(study_name=name, storage=open_storage(where))
        trials = [trial for trial in study.trials if trial.state != optuna.trial.TrialState.WAITING]
        client = MlflowClient(tracking_uri or f"sqlite:///{storage}/mlflow.db")
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        runs: dict[str, list[Run]] = {}
        for run in client.search_runs(experiments, f"tags.study = '{name}'"):
            runs.setdefault(run.data.tags["trial"], []).append(run)
        histories = {}
        for trial, found in runs.items():
            if trial != "parent":
                histories[trial] = {
                    metric: [(m.step, m.value) for m in client.get_metric_history(found[0].info.run_id, metric)]
                    for metric in found[0].data.metrics
                    if not metric.startswith(DURATIONS)
                }
        return cls(trials, runs, histories)


def check_complete(outcome: Outcome, num_trials: int, steps: list[int]) -> None:
    """Every trial once in Optuna and MLflow, ended, with every step of every metric once and in order.

    `steps` are those of a trial that used its budget; one that was stopped early has the first of them.
    """
    keys = [f"{number:04d}" for number in range(num_trials)]
    assert [trial.number for trial in outcome.trials] == list(range(num_trials))
    others = {
        t.number: (t.state.name, t.user_attrs) for t in outcome.trials if t.state.name not in ("COMPLETE", "PRUNED")
    }
    assert not others, others
    assert sorted(outcome.runs) == [*keys, "parent"]
    assert all(len(runs) == 1 for runs in outcome.runs.values())
    assert {runs[0].info.status for runs in outcome.runs.values()} == {"FINISHED"}
    for trial in outcome.trials:
        history = outcome.histories[keys[trial.number]]
        reported = list(trial.intermediate_values)
        assert reported == steps[: len(reported)]
        assert (trial.state.name == "COMPLETE") == (reported == steps)
        for metric in ("fid_lenet", "fid_lenet_best", "auroc", "inner_updates"):
            assert [step for step, _ in history[metric]] == reported, (trial.number, metric)
        assert [value for _, value in history["fid_lenet_best"]] == list(trial.intermediate_values.values())
        updates = [value for _, value in history["inner_updates"]]
        assert updates == sorted(updates)


def check_equal(outcome: Outcome, expected: Outcome) -> None:
    """The same suggestions and the same numbers, to the last bit."""
    assert [trial.params for trial in outcome.trials] == [trial.params for trial in expected.trials]
    assert [trial.state for trial in outcome.trials] == [trial.state for trial in expected.trials]
    assert [trial.values for trial in outcome.trials] == [trial.values for trial in expected.trials]
    assert outcome.histories == expected.histories


def main(kills: int = 20, num_trials: int = 24) -> None:
    """`make soak`: the whole of it, with its figures."""
    import tempfile

    study = ("--space", "gradnorm", "--scale", "smoke", "--trials", str(num_trials), "--max-concurrent", "1")
    with tempfile.TemporaryDirectory() as folder:
        storage = Path(folder)
        driver = Driver(storage, (*study, "--name", "uninterrupted"))
        driver.start()
        assert driver.wait() == 0, driver.screen()
        run_with_kills(storage, "killed", study, kills)
        outcome, expected = Outcome.of(storage, "killed"), Outcome.of(storage, "uninterrupted")
        check_complete(outcome, num_trials, [2, 4])
        check_equal(outcome, expected)
        drivers = len(list(storage.glob("driver-*.log"))) - 1
        assert drivers > kills, f"the study was done after {drivers - 1} kills: give it more trials"
        states = Counter(trial.state.name for trial in outcome.trials)
        print(
            f"{num_trials} trials ({dict(states)}), {drivers} drivers, {drivers - 1} of them killed: "
            "nothing lost, doubled or changed"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
