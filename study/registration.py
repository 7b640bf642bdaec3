"""Claims are registered when a study starts: what is written down before the first trial cannot follow the results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from search_spaces.claim import Claim, Params
from search_spaces.space import SearchSpace
from trainables.files import write_atomically

REGISTERED_FILE = "registered.json"


def record(claim: Claim, space: SearchSpace) -> dict[str, Any]:
    """A claim as data. Its groups are the first trials that belong to them, by name, or a number."""
    points = {first.name: first.params for first in space.first_trials()}
    content = {
        "text": claim.text,
        "source": claim.source,
        "metric": claim.reported_as,
        "rule": claim.rule,
        "lower": _members(claim.lower, points),
        "higher": _members(claim.higher, points),
        "paired_by": [_name(by) for by in claim.paired_by],
        "margin": claim.margin,
        "planned": claim.planned,
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return {**content, "sha256": digest}


def register(folder: Path, claims: Sequence[Claim], space: SearchSpace, seeds: int, commit: str) -> None:
    """Write the claims of a study down, once, with the commit of the code and the number of seeds of each trial."""
    path = folder / REGISTERED_FILE
    if path.exists() or not claims:
        return
    content = {
        "registered": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "space": space.name,
        "scale": space.scale_name,
        "seeds": seeds,
        "claims": [record(claim, space) for claim in claims],
    }
    write_atomically(path, json.dumps(content, indent=2).encode())


def registered(folder: Path) -> dict[str, Any]:
    """What was registered; without any claims where the file is absent or damaged."""
    try:
        return json.loads((folder / REGISTERED_FILE).read_text())
    except (OSError, ValueError):
        return {"claims": []}


def _members(side: Any, points: Mapping[str, Params]) -> list[str] | float:
    return [name for name, params in points.items() if side(params)] if callable(side) else float(side)


def _name(by: Any) -> str:
    return by if isinstance(by, str) else getattr(by, "__name__", type(by).__name__)
