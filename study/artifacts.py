"""Where MLflow keeps artifacts, when its file has been moved with them: MLflow remembers absolute paths."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy

COLUMNS = (("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"))


def mend_moved(tracking_uri: str, recorded: str, artifacts: Path) -> None:
    """Let the artifacts of all experiments in MLflow's own SQLite file be where they are now.

    `recorded` is where MLflow believes those of an experiment to be, `artifacts` where they are. A database elsewhere
    may be shared with other storage folders, and is left alone.
    """
    here = artifacts.as_uri()
    ours = f"sqlite:///{artifacts.parent.parent / 'mlflow.db'}"
    if recorded.rstrip("/") == here or tracking_uri != ours or not recorded.startswith("file:"):
        return
    before, after = (uri.rstrip("/").rpartition("/")[0] + "/" for uri in (recorded, here))
    engine = sqlalchemy.create_engine(tracking_uri)
    try:
        with engine.begin() as connection:
            for table, column in COLUMNS:
                connection.execute(
                    sqlalchemy.text(
                        f"UPDATE {table} SET {column} = :after || substr({column}, :length + 1) "
                        f"WHERE substr({column}, 1, :length) = :before"
                    ),
                    {"before": before, "after": after, "length": len(before)},
                )
    finally:
        engine.dispose()
