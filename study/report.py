"""python -m study.report NAME: what a study found, as one HTML file or as Markdown. It is read from MLflow alone."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import study
from study.folder import StudyFolder, studies_in
from trainables import command_line
from trainables.errors import InputError
from trainables.files import absolute, write_atomically
from trainables.options import Option

if TYPE_CHECKING:
    from study.loaded import LoadedStudy

STOPPED_BY_HAND = 130


@dataclass(frozen=True)
class ReportConfig:
    """Report what a study found: the best setting, by how much it is better, whether that is real, what is next."""

    name: Annotated[str, Option(positional=True)]
    """The study; with --all, the space whose studies are compared."""
    out: Annotated[Path | None, Option(placeholder="FILE")] = None
    """The file to write; by default report.html in the study's folder, or NAME.html here where there is no folder."""
    markdown: bool = False
    """Write Markdown, for documentation: to --out, else to the screen."""
    export: Annotated[Path | None, Option(placeholder="FILE")] = None
    """Instead of a report, write the results of all trials to this file, JSON: `study.results` makes tables of it."""
    all: bool = False
    """Compare the studies of a space; those that other protocols measured are apart."""
    watch: bool = False
    """Write the file again as results come, until the study ends."""
    every: Annotated[int, Option(placeholder="SECONDS")] = 30
    """With --watch: seconds between two reports."""
    tracking_uri: Annotated[str | None, Option(placeholder="URL")] = None
    """MLflow's tracking server; by default what MLFLOW_TRACKING_URI names, else the file in the storage folder."""
    storage_dir: Path = Path("outputs")
    """The folder of the studies."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 done, 2 bad input, 130 a watch that Ctrl-C has ended."""
    return command_line.run(ReportConfig, "python -m study.report", report, arguments)


def report(config: ReportConfig) -> int:
    """Do what `config` says; returns the exit status."""
    if config.watch and (config.markdown or config.all):
        raise InputError("--watch rewrites the HTML report of one study: leave out --markdown and --all.")
    if config.export and (config.markdown or config.all or config.watch or config.out):
        raise InputError("--export writes no report: leave out --markdown, --all, --watch and --out.")
    if config.every < 1:
        raise InputError(f"--every {config.every}: say a number of seconds from 1.")
    for flag, file in (("--out", config.out), ("--export", config.export)):
        if file is not None and not absolute(file).parent.is_dir():
            raise InputError(f"{flag} {file}: there is no folder {absolute(file).parent}, make it first.")
    if config.export:
        return _export(config, absolute(config.export))
    if config.all:
        return _compare(config)
    return _watch(config) if config.watch else _once(config)


def _once(config: ReportConfig) -> int:
    from study.reporting.keep import keep
    from study.reporting.whole import make_report

    loaded = _loaded(config)
    file = _put(config, make_report(loaded))
    if file is not None and not config.markdown and (refusal := keep(loaded, file)):
        print(f"warning: the report is not among the study's artifacts: {refusal}", file=sys.stderr)
    return 0


def _loaded(config: ReportConfig) -> LoadedStudy:
    return study.load(config.name, tracking_uri=config.tracking_uri, storage_dir=config.storage_dir)


def _export(config: ReportConfig, file: Path) -> int:
    from study.reporting.export import exported

    text = exported(_loaded(config))
    return _write(file, text, "--export")


def _compare(config: ReportConfig) -> int:
    from study.reporting.several import compare, studies_of_space
    from study.tracking_uri import tracking_uri_of

    uri = tracking_uri_of(config.tracking_uri, config.storage_dir)
    names = studies_of_space(uri, config.name)
    _put(config, compare(config.name, [study.load(name, tracking_uri=uri) for name in names]))
    return 0


def _watch(config: ReportConfig) -> int:
    """Write the report until the study ends, or Ctrl-C."""
    from study.reporting.whole import make_report

    try:
        while True:
            loaded = _loaded(config)
            if not loaded.is_running:
                return _once(config)
            _put(config, make_report(loaded, refresh=config.every))
            time.sleep(config.every)
    except KeyboardInterrupt:
        return STOPPED_BY_HAND


def _put(config: ReportConfig, made: object) -> Path | None:
    """Write a report to the file that `config` means, and say so; Markdown without a file is printed."""
    from study.reporting.document import Report
    from study.reporting.html import as_html
    from study.reporting.markdown import as_markdown

    assert isinstance(made, Report)
    text = as_markdown(made) if config.markdown else as_html(made)
    if config.markdown and config.out is None:
        print(text, end="")
        return None
    file = absolute(config.out or _default(config))
    _write(file, text, "--out")
    return file


def _write(file: Path, text: str, flag: str) -> int:
    try:
        write_atomically(file, text.encode())
    except OSError as error:
        raise InputError(f"cannot write {file} ({error.strerror}): choose another {flag}.") from error
    print(file)
    return 0


def _default(config: ReportConfig) -> Path:
    from study.reporting.keep import REPORT_FILE

    folder = StudyFolder(studies_in(config.storage_dir) / config.name).path
    return folder / REPORT_FILE if folder.is_dir() and not config.all else Path(f"{config.name}.html")


if __name__ == "__main__":
    sys.exit(main())
