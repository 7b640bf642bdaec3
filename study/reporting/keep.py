"""The report of a study as a file, and among the study's own artifacts."""

from __future__ import annotations

from pathlib import Path

from study.folder import StudyFolder
from study.loaded import LoadedStudy, load
from study.reporting.html import as_html
from study.reporting.whole import make_report
from study.sentences import first_line
from trainables.files import write_atomically

REPORT_FILE = "report.html"


def report_of(name: str, tracking_uri: str, folder: StudyFolder) -> Path:
    """Write the report of a study that has ended into its folder, and keep it in MLflow; returns the file."""
    study = load(name, tracking_uri, folder.path.parent.parent)
    file = folder.path / REPORT_FILE
    write_atomically(file, as_html(make_report(study)).encode())
    keep(study, file)
    return file


def keep(study: LoadedStudy, file: Path) -> str | None:
    """Log the report on the study's own run; returns why that cannot be done, None where it was."""
    try:
        text = file.read_text(encoding="utf-8")
        study.recorded.client.log_text(study.recorded.study["run_id"], text, REPORT_FILE)
    except Exception as error:  # whatever the storage behind a server raises
        return first_line(error)
    return None
