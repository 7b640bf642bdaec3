"""The parts of a report in their order."""

from __future__ import annotations

from datetime import UTC, datetime

from study.loaded import LoadedStudy
from study.reporting import (
    claims,
    comparison,
    cost,
    failures,
    front,
    history,
    importances,
    pictures,
    protocol,
    published,
    stopping,
    training,
)
from study.reporting.answer import answer
from study.reporting.document import Report

SECTIONS = (
    pictures,
    comparison,
    history,
    training,
    published,
    claims,
    importances,
    stopping,
    front,
    failures,
    cost,
    protocol,
)


def make_report(study: LoadedStudy, refresh: int | None = None) -> Report:
    """The report on a study. With `refresh`, a browser that shows it reads it again after so many seconds."""
    sections = [section for part in SECTIONS if (section := part.section(study)) is not None]
    status = study.recorded.study["status"].lower()
    return Report(
        title=f"Study {study.name}",
        subtitle=f"space {study.tag('space')}, scale {study.tag('scale')}, {status}",
        answer=answer(study),
        sections=sections,
        made=f"Made on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, of what MLflow holds of the study.",
        refresh=refresh if study.is_running else None,
    )
