"""What a report consists of, whatever it is written as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows of cells; columns whose cells are numbers are aligned to the right."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """A picture with a text that says what it shows."""

    data: bytes
    kind: Literal["svg", "png", "gif"]
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Gallery:
    """Pictures beside one another."""

    figures: Sequence[Figure]


@dataclass(frozen=True)
class Commands:
    """Lines to type, each with what it does."""

    lines: Sequence[tuple[str, str]]


Block = Text | Table | Figure | Gallery | Commands


@dataclass(frozen=True)
class Section:
    """A part of a report."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """The name by which a link finds it."""
        return "".join(c if c.isalnum() else "-" for c in self.title.lower())


@dataclass(frozen=True)
class Report:
    """A title, the answer that the first screen shows, and what it rests on."""

    title: str
    subtitle: str
    answer: Sequence[Block]
    sections: Sequence[Section] = field(default_factory=tuple)
    made: str = ""
    """When it was made, and of what."""
    refresh: int | None = None
    """After how many seconds a browser reads the file again."""
