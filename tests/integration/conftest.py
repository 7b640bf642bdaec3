from __future__ import annotations

from pathlib import Path

import study  # noqa: F401  sets what Ray reads when it is imported

# isort: split
import pytest
import ray

from tests.systems.program import end_those_of_the_test


@pytest.fixture(autouse=True)
def _nothing_outlives_its_test():
    yield
    end_those_of_the_test()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem):
    """End Ray with the last of these tests: it computes even when nobody uses it."""
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        ray.shutdown()
