"""Which MLflow a command reads or writes."""

from __future__ import annotations

import os
from pathlib import Path

from trainables.errors import InputError
from trainables.files import absolute

ENVIRONMENT = "MLFLOW_TRACKING_URI"


def own_file(storage: Path) -> str:
    """MLflow's file in a storage folder."""
    return f"sqlite:///{storage / 'mlflow.db'}"


def tracking_uri_of(asked: str | None, storage: Path) -> str:
    """What `--tracking-uri` or the environment names, else the file in the storage folder, which must be there.

    Raises `InputError` where a file is named that does not exist: MLflow would make an empty one.
    """
    from study.optuna_storage import with_driver

    uri = with_driver(asked or os.environ.get(ENVIRONMENT) or own_file(absolute(storage)))
    file = uri.removeprefix("sqlite:///")
    if file != uri and not Path(file).is_file():
        raise InputError(
            f"there is no MLflow file {file}: name the folder of the studies with --storage-dir, "
            "or the tracking server with --tracking-uri."
        )
    return uri
