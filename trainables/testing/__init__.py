"""The contract tests: with pytest, anybody runs them on a method or a measure of their own.

    from trainables.testing import MeasureContract, MethodContract

    class TestMyMethod(MethodContract):
        method = MyMethod

    class TestMyMeasure(MeasureContract):
        settings = MyMeasureSettings(num_samples=100)

To see the values in a failed assertion, put `pytest.register_assert_rewrite("trainables.testing")` into conftest.py.
"""

from trainables.testing.measures import MeasureContract
from trainables.testing.methods import MethodContract

__all__ = ["MeasureContract", "MethodContract"]
