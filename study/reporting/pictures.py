"""The pictures of the best trials."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import pandas as pd

from study.loaded import PICTURES, SAMPLES, LoadedStudy
from study.reporting.document import Figure, Gallery, Section, Text
from study.reporting.numbers import settings, shown

BEST_SHOWN, LEAST_SHOWN = 5, 2
"""Of a search; of each data set or protocol, where there are several, at least the latter."""
GRID_SHOWN = 16
"""In a grid, where all trials are compared, so many are shown: good, poor and collapsed ones."""
ROOM_BYTES = 5_000_000
"""All pictures together take at most this much of a report."""

WHAT = {
    "samples": "generated samples",
    "nearest": "generated images above their nearest training images, which are real",
    "scores": "the discriminator's scores of test images and of out-of-distribution sets",
}
"""What the pictures show whose names say too little."""


def section(study: LoadedStudy) -> Section | None:
    """The samples of the best trials, then the other pictures of the best one, which show real data beside them."""
    room = ROOM_BYTES
    blocks: list[Gallery | Text] = []
    rankings = study.rankings()
    is_grid = study.trials()["first_trial"].notna().all()
    best_shown = max(LEAST_SHOWN, (GRID_SHOWN if is_grid else BEST_SHOWN) // max(1, len(rankings)))
    left_out = 0
    for ranking in rankings:
        figures = []
        for rank, (_, row) in enumerate(ranking.trials[:best_shown].iterrows()):
            for path in _paths(study, row, with_others=rank == 0):
                content = study.files.content(row["run_id"], path)
                if content is None:
                    continue
                if len(content) > room:
                    left_out += 1
                    continue
                room -= len(content)
                figures.append(_figure(study, row, path, content, rank))
        if figures:
            blocks.append(Gallery(figures))
    if left_out:
        blocks.append(Text(f"{left_out} large pictures are left out: they are among the trials' artifacts in MLflow."))
    if not blocks and rankings:
        blocks.append(Text("The best trials have no pictures among their artifacts, or they cannot be read from here."))
    return Section("Pictures of the best trials", blocks) if blocks else None


def _paths(study: LoadedStudy, row: pd.Series, with_others: bool) -> Iterator[str]:
    found = [p for p in study.files.names(row["run_id"], PICTURES) if p.endswith((".png", ".gif"))]
    first = SAMPLES if SAMPLES in found else next(iter(found), None)
    if first is not None:
        yield first
    if with_others:
        yield from (path for path in found if path != first)


def _figure(study: LoadedStudy, row: pd.Series, path: str, content: bytes, rank: int) -> Figure:
    objective = study.objectives[0].name
    name = PurePosixPath(path).stem
    what = WHAT.get(name, name.replace("_", " "))
    named = f" ({row['first_trial']})" if pd.notna(row["first_trial"]) else ""
    caption = f"Trial {row.name}{named}: {what}, {objective} {shown(float(row[f'metrics.{objective}']))}"
    alt = f"{caption}; number {rank + 1} of the ranking, with {settings(row)}."
    return Figure(content, "gif" if path.endswith(".gif") else "png", alt, caption)
