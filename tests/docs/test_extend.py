"""docs/extend.md: its example runs as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from trainables.testing import MethodContract

PAGE = Path(__file__).parents[2] / "docs" / "extend.md"
EXAMPLE = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    file = tmp_path_factory.mktemp("outside") / "sliced.py"
    file.write_text(EXAMPLE)
    return file


def launch(storage, *arguments):
    command = [sys.executable, "-m", "study.launch", "--storage-dir", str(storage), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_study_of_the_page_runs_and_goes_on_without_the_file(example, tmp_path):
    smoke = ("--scale", "smoke", "--scheduler", "none")
    done = launch(tmp_path, "--space", f"{example}:SlicedSpace", *smoke, "--name", "page")
    assert done.returncode == 0, done.stderr
    assert "2 finished" in done.stdout
    example.unlink()
    resumed = launch(tmp_path, "--resume", "page", "--trials", "3")
    assert resumed.returncode == 0, resumed.stderr
    assert "3 finished" in resumed.stdout
    example.write_text(EXAMPLE)


namespace: dict = {"__name__": "sliced"}
exec(compile(EXAMPLE, "sliced.py", "exec"), namespace)


class TestSliced(MethodContract):
    method = namespace["Sliced"]
