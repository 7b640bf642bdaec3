"""Ray pickles searchers and callbacks into snapshots of an experiment. A study never reads those back."""

from __future__ import annotations

from typing import Any


class NotInSnapshot:
    """Holds what cannot be pickled (threads, files, connections), and leaves nothing of it in a snapshot."""

    def __getstate__(self) -> dict[str, Any]:
        return {}
