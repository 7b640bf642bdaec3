"""Names, settings and search spaces are known without the libraries that take seconds to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
import search_spaces.space, trainables.data.points, trainables.data.sources, trainables.measures.settings
print(sorted({"PIL", "ray", "sklearn", "torch"} & set(sys.modules)))
"""


def test_names_and_settings_are_known_without_torch():
    command = [sys.executable, "-c", PROGRAM]
    assert subprocess.check_output(command, cwd=Path(__file__).parents[2], text=True).strip() == "[]"
