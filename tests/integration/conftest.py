from __future__ import annotations

import pytest

from tests.systems.program import end_those_of_the_test


@pytest.fixture(autouse=True)
def _nothing_outlives_its_test():
    yield
    end_those_of_the_test()
