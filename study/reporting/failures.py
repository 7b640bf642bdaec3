"""The trials that failed or were not finished, and why."""

from __future__ import annotations

from study.loaded import LoadedStudy
from study.reporting.document import Section, Table
from study.reporting.numbers import counted, settings

SHOWN = 40
NO_REASON = "its objective is not a finite number"


def section(study: LoadedStudy) -> Section | None:
    """A row per failed trial."""
    trials = study.trials()
    failed = trials[trials["state"].isin(["failed", "unfinished"])]
    if failed.empty:
        return None
    reasons = failed["failure"].where(failed["failure"].notna(), failed["state"].map({"failed": NO_REASON}))
    reasons = reasons.fillna("it was not finished: the study was stopped")
    counts = reasons.value_counts()
    summary = Table(["reason", "trials"], [[str(reason), str(n)] for reason, n in counts.items()], "Reasons")
    shown = failed[:SHOWN].iterrows()
    rows = [[str(number), reason, settings(row)] for (number, row), reason in zip(shown, reasons, strict=False)]
    caption = counted(len(failed), "trial") + (f", the first {SHOWN}" if len(failed) > SHOWN else "")
    return Section("Failures", [summary, Table(["trial", "reason", "settings"], rows, caption)])
