"""docs/results.md: its tables have the numbers of the stored results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study import results

PAGE = Path(__file__).parents[2] / "docs" / "results.md"


def test_the_tables_of_the_page_have_the_numbers_of_the_stored_results():
    assert results.with_tables(PAGE) == PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", sorted((PAGE.parent / "results").glob("*.json")), ids=lambda file: file.stem)
def test_stored_results_are_named_by_the_page_and_their_command_stands_in_it(file):
    stored = json.loads(file.read_text())
    assert f"<!-- table results/{file.name}:" in PAGE.read_text()
    assert stored["command"] in PAGE.read_text()
