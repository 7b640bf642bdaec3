"""docs/extend.md: its example runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trainables.testing import MethodContract

PAGE = Path(__file__).parents[2] / "docs" / "extend.md"
EXAMPLE = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]


@pytest.fixture
def example(tmp_path):
    file = tmp_path / "sliced.py"
    file.write_text(EXAMPLE)
    return file


def test_the_study_of_the_page_runs(example, storage, launch):
    """Another one from outside goes on without its file in tests/integration/test_from_outside.py."""
    smoke = ("--scale", "smoke", "--scheduler", "none", "--max-concurrent", "1")
    assert "2 finished" in launch(storage, "--space", f"{example}:SlicedSpace", *smoke, "--name", "page")


namespace: dict = {"__name__": "sliced"}
exec(compile(EXAMPLE, "sliced.py", "exec"), namespace)


class TestSliced(MethodContract):
    method = namespace["Sliced"]
