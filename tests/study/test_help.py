"""The help of every command: plain placeholders, a description for each option, groups, lines that are full."""

from __future__ import annotations

import importlib
import re
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest

from study.config import StudyConfig, flag_of
from study.options import StudyOptions
from study.submit.__main__ import BACKENDS

ROOT = Path(__file__).parents[2]
MODULES = [
    f"{file.parent.name}.{file.stem}"
    for folder in ("study", "trainables")
    for file in sorted((ROOT / folder).glob("*.py"))
    if "__main__" in file.read_text()
]
COMMANDS = [(module, ()) for module in MODULES]
COMMANDS += [("study.submit.__main__", ("--backend", name)) for name in BACKENDS]

ROW = re.compile(r"  (?P<invocation>-\S.*?|[A-Z]+)(?:  +(?P<text>\S.*))?")
PIECE = re.compile(r"\(default: [^)]*\)\S*|\(?`[^`]*`\S*|\S+")
"""What no line is broken in."""


@pytest.fixture
def shown(monkeypatch, capsys):
    """The help of a command on a terminal of some width."""

    def of(width, module, *arguments):
        monkeypatch.setenv("COLUMNS", str(width))
        with pytest.raises(SystemExit) as ended:
            importlib.import_module(module).main([*arguments, "--help"])
        assert ended.value.code == 0
        return capsys.readouterr().out

    return of


def options_of(text):
    """The lines of the description of each option, by what invokes it."""
    options = {}
    for line in text.splitlines():
        if found := ROW.fullmatch(line):
            options[found["invocation"]] = lines = [found["text"]] if found["text"] else []
        elif line.startswith("   "):
            lines.append(line.strip())
    return options


def shortly(value):
    """The module, and the back end."""
    return value if isinstance(value, str) else "".join(value[1:])


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize(("module", "arguments"), COMMANDS, ids=shortly)
def test_help_is_plain_and_its_lines_are_full(shown, module, arguments, width):
    text = shown(width, module, *arguments)
    assert not re.search(r"\bNone\b|default: False|default: *\)|\b(STR|INT|FLOAT|BOOL)\b|[{}]", text)
    lines = text.splitlines()
    assert all(len(line) <= width for line in lines)
    options = options_of(text)
    room = min(width, 100) - max(len(line) - len(line.lstrip()) for line in lines)
    for invocation, description in options.items():
        assert description, invocation
        assert not description[0].startswith("(default"), f"{invocation} has no description"
        assert not any(line.endswith("-") for line in description), f"{invocation} is broken at a hyphen"
        for line, following in pairwise(description):
            assert len(f"{line} {PIECE.match(following)[0]}") > room, f"{invocation} is broken after {line!r}"


def test_every_option_of_a_study_is_in_one_group_and_the_first_ones_say_what_is_studied(shown):
    text = shown(80, "study.launch")
    groups = re.findall(r"^(\S[^\n]*):\n((?:  .*\n)+)", text, re.MULTILINE)
    flags = [re.findall(r"^  (?:-h, )?(--\S+)", rows, re.MULTILINE) for _, rows in groups]
    assert sorted(flag for group in flags for flag in group) == sorted(
        ["--help", *(flag_of(each.name) for each in fields(StudyConfig))]
    )
    assert max(map(len, flags)) <= len(fields(StudyOptions)) < 10
    assert flags[0][:2] == ["--help", "--list"]
    assert flags[1][:2] == ["--space", "--scale"]
    assert all(heading != "options" for heading, _ in groups)


def test_defaults_are_shown_once_and_placeholders_say_what_is_asked(shown):
    options = options_of(shown(140, "study.launch"))
    assert options["--scale NAME"][-1].endswith("(default: laptop)")
    assert options["--cpus-per-trial NUMBER"][-1].endswith("(default: 1)")
    assert not any("(default:" in line for line in options["--seeds N"])
    assert {"--set KEY=VALUE...", "--time-budget TIME", "--ood-sets NAME...", "--tracking-uri URL"} <= options.keys()
    assert "  NAME " in shown(80, "study.ui")
    assert "usage: python -m study.ui [NAME] [options]" in shown(80, "study.ui")
    assert "usage: python -m trainables.restore --from PATH --images PATH [options]" in shown(80, "trainables.restore")
