"""The artifacts of runs, as they are read from any tracking server."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient


class RunFiles:
    """Artifacts by run and path. One that cannot be had is none: a report says what is missing."""

    def __init__(self, client: MlflowClient) -> None:
        self._client = client
        self.unreadable = 0
        """How many artifacts are listed, but could not be read."""

    def names(self, run_id: str, folder: str | None = None) -> list[str]:
        """The paths of a run's artifacts, or of those in a folder among them."""
        try:
            return sorted(found.path for found in self._client.list_artifacts(run_id, folder))
        except Exception:  # whatever the storage behind a server raises
            return []

    def content(self, run_id: str, path: str) -> bytes | None:
        """An artifact; None where the run has none of this name."""
        if path not in self.names(run_id, str(Path(path).parent) if "/" in path else None):
            return None
        try:
            with TemporaryDirectory() as folder:
                return Path(self._client.download_artifacts(run_id, path, folder)).read_bytes()
        except Exception:  # whatever the storage behind a server raises
            self.unreadable += 1
            return None

    def text(self, run_id: str, path: str) -> str:
        """An artifact as text; empty where the run has none of this name."""
        return (self.content(run_id, path) or b"").decode()
