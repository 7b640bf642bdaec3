"""What a command line says is what the fields of a dataclass hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest

from trainables.options import Option, Parser


@dataclass(frozen=True)
class Common:
    """In common."""

    name: Annotated[str | None, Option(positional=True)] = None
    """One `that is`
    named."""


@dataclass(frozen=True)
class Config(Common):
    """Its own."""

    of: Annotated[str, Option(name="from")] = "here"
    number: int = 3
    """Holds for 95% of them."""
    share: float | None = None
    kind: Literal["a", "b"] = "a"
    words: tuple[str, ...] | None = None
    shares: tuple[float, ...] = (0.5, 1 / 3)
    """Some."""
    no_report: bool = False
    out: Path = Path("out")


@pytest.fixture
def parser():
    return Parser([Config], "", "test")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", {}),
        ("--from there", {"of": "there"}),
        ("--number -1 --share=-0.5", {"number": -1, "share": -0.5}),
        ("--share 1e-3", {"share": 0.001}),
        ("--number 1 --number 2", {"number": 2}),
        ("--words", {"words": ()}),
        ("--words a -1 --kind b", {"words": ("a", "-1"), "kind": "b"}),
        ("--words a b --words c", {"words": ("c",)}),
        ("--words=--dashed", {"words": ("--dashed",)}),
        ("--shares 1 2.5", {"shares": (1.0, 2.5)}),
        ("--no-report mine", {"no_report": True, "name": "mine"}),
        ("mine --out a/b", {"name": "mine", "out": Path("a/b")}),
        ("--number 1 mine --no-report", {"number": 1, "name": "mine", "no_report": True}),
        ("--from= --out=a=b", {"of": "", "out": Path("a=b")}),
    ],
)
def test_what_is_said_is_what_is_read(parser, arguments, said):
    assert parser.read(arguments.split()) == vars(Config(**said))


def test_the_help_shows_what_the_fields_say(parser, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert (
        parser.format_help()
        == """usage: test [NAME] [options]

In common:
  -h, --help          Show this help.
  NAME                One `that is` named.

Its own:
  --from NAME         (default: here)
  --number N          Holds for 95% of them. (default: 3)
  --share NUMBER
  --kind a|b          (default: a)
  --words NAME...
  --shares NUMBER...  Some. (default: 0.5 0.333)
  --no-report
  --out PATH          (default: out)
"""
    )
