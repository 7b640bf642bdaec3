"""Storage folders of studies: prepared ones, and the file that makes trials wait."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

TINY = Path(__file__).with_name("tiny.py")


def of_tiny(name: str = "Tiny", file: Path = TINY) -> tuple[str, ...]:
    """The arguments that name a space of `tiny.py`, or of a copy of it."""
    return ("--space", f"{file}:{name}", "--scale", "smoke")


def hold(storage: Path, trial: int, rounds: int = 0) -> None:
    """Let trial number `trial` of `tiny.py`'s spaces, and later ones, wait after so many rounds."""
    new = storage / "hold.new"
    new.write_text(f"{trial} {rounds}")
    new.replace(storage / "hold")


def release(storage: Path) -> None:
    """Let all trials go on."""
    (storage / "hold").unlink()


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that one of the test processes makes, for all of them."""
    own = factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            partial = folder.with_suffix(".partial")
            partial.mkdir()
            make(partial)
            partial.rename(folder)
    return folder


def prepare_cache(folder: Path) -> None:
    """Make what the first study of a small space makes: its data set, the classifier, the reference values."""
    from search_spaces.gradnorm import GradNorm
    from tests.systems.tiny import Tiny
    from trainables.preparation import prepare_protocol
    from trainables.protocol import Protocol

    for scale in (Tiny.scales["smoke"], GradNorm.scales["smoke"]):
        prepare_protocol(Protocol(dataset=scale.dataset, measures=scale.measures), folder)


def prepare_database(folder: Path) -> None:
    """Make MLflow's database, with its tables and nothing in them."""
    from mlflow import MlflowClient

    MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").search_experiments()
