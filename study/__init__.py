"""The driver of a study. Importing it sets the environment that Ray and MLflow read when they are imported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.loaded import LoadedStudy

os.environ.update(
    {
        # Ray would otherwise listen on all interfaces (tests/integration checks that it does not).
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        # Ray would start a process for each CPU that no trial uses: those of trials have an environment of their own.
        "RAY_prestart_worker_first_driver": "0",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        # A tracking server that is away should be noticed soon: the spool tries again.
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
        # The tracker and the trials' own files take the place of Ray's loggers and of its snapshots.
        # Ctrl-C is handled by study/interruption.py; a failed trial has no objective to report.
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
        "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "RAY_AIR_NEW_OUTPUT": "0",
        # The searcher says how many trials there may be (study/nodes/capacity.py).
        "TUNE_MAX_PENDING_TRIALS_PG": "1000000",
        "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    }
)


def load(name: str, *, tracking_uri: str | None = None, storage_dir: Path | str = "outputs") -> LoadedStudy:
    """The study `name` as DataFrames, for notebooks.

    It is read from the MLflow server or database at `tracking_uri`, else from the one that MLFLOW_TRACKING_URI names,
    else from the file in `storage_dir`. Raises `InputError` where that does not answer, or does not know the study.
    """
    from study import loaded  # imported late: help and bad input need no MLflow

    return loaded.load(name, tracking_uri, Path(storage_dir))
