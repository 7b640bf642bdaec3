"""A report as Markdown, for documentation: its texts and tables; a picture is its text alternative."""

from __future__ import annotations

from collections.abc import Iterator

from study.reporting.document import Block, Commands, Figure, Gallery, Report, Table, Text


def as_markdown(report: Report) -> str:
    """The report under a heading of the first level."""
    lines = [f"# {report.title}", "", f"*{report.subtitle}*", ""]
    for block in report.answer:
        lines += _lines(block)
    for section in report.sections:
        lines += [f"## {section.title}", ""]
        for block in section.blocks:
            lines += _lines(block)
    return "\n".join([*lines, report.made, ""])


def table(block: Table) -> list[str]:
    """The lines of a table."""
    rows = [block.header, ["---"] * len(block.header), *block.rows]
    return ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Text(text):
            yield text
        case Table(caption=caption):
            if caption:
                yield f"*{caption}*"
                yield ""
            yield from table(block)
        case Figure(alt=alt):
            yield f"*{alt}*"
        case Gallery(figures):
            yield from (f"- {figure.alt}" for figure in figures)
        case Commands(lines):
            yield "```"
            yield from (f"{command}    # {meaning}" for command, meaning in lines)
            yield "```"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
