from __future__ import annotations

import sys

import pytest

SPACE = """# 'a' "b" {{ x }} é \\n\t$(id)
from search_spaces.gradnorm import GradNorm as Mine
"""


@pytest.fixture
def space_file(tmp_path):
    """The file of a space, with other files and folders beside it."""
    folder = tmp_path / "spaces"
    for name in (".ssh/key", ".hidden", "data/large", "other.py", "a"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "mine.py").write_text(SPACE)
    yield folder / "mine.py"
    sys.modules.pop("mine", None)
