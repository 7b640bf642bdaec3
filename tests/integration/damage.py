"""What a power cut, a full disk or a busy file system does to the files of a study between two drivers."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from pathlib import Path

LOCKED_SECONDS = 60.0
KINDS = ("journal", "spool", "checkpoint", "cache", "database")


def damage(storage: Path, name: str, kind: str, chance: random.Random) -> None:
    """Damage the newest file of a kind, if there is one, as far as the program promises to get over it.

    Records are torn at the end, since a file that is appended to tears there; files that are written whole lose their
    end or a bit anywhere; MLflow's database is locked.
    """
    study = storage / "studies" / name
    if kind == "database":
        lock(storage / "mlflow.db", LOCKED_SECONDS)
        return
    pattern = {
        "journal": (study, "optuna.journal"),
        "spool": (study / "spool", "events.jsonl"),
        "checkpoint": (study / "trials", "**/round-*.pt"),
        "cache": (storage / "cache", "**/*.*"),
    }[kind]
    files = [path for path in pattern[0].glob(pattern[1]) if path.is_file() and path.stat().st_size]
    if not files:
        return
    newest = max(files, key=lambda path: path.stat().st_mtime_ns)
    tear = tear_record if kind in ("journal", "spool") else tear_file
    tear(newest, chance)


def tear_record(path: Path, chance: random.Random) -> None:
    """Begin one more record and do not end it, or fill the end with zeros."""
    last = path.read_bytes().rstrip(b"\n").rpartition(b"\n")[2]
    end = last[: chance.randrange(1, len(last))] if chance.random() < 0.5 else bytes(chance.randrange(1, 4096))
    with path.open("ab") as file:
        file.write(end)


def tear_file(path: Path, chance: random.Random) -> None:
    """Cut the file off, or flip a bit of it."""
    content = bytearray(path.read_bytes())
    at = chance.randrange(len(content))
    if chance.random() < 0.5:
        del content[at:]
    else:
        content[at] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def lock(database: Path, seconds: float) -> threading.Thread:
    """Keep everybody else from a SQLite database for a while; returns at once, holding it."""
    held = threading.Event()

    def hold() -> None:
        connection = sqlite3.connect(database, timeout=seconds)
        connection.execute("BEGIN EXCLUSIVE")
        held.set()
        time.sleep(seconds)
        connection.rollback()
        connection.close()

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    held.wait(seconds)
    return thread
