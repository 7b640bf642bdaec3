"""The contract tests: with pytest, anybody runs them on a method or a measure of their own.

    from trainables.testing import MeasureContract, MethodContract, StackContract

    class TestMyMethod(MethodContract):
        method = MyMethod

    class TestMyMethodStacked(StackContract):  # of a method that says that it `stacks`
        method = MyMethod

    class TestMyMeasure(MeasureContract):
        settings = MyMeasureSettings(num_samples=100)

To see the values in a failed assertion, put `pytest.register_assert_rewrite("trainables.testing")` into conftest.py.
"""

from trainables.testing.measures import MeasureContract
from trainables.testing.methods import MethodContract
from trainables.testing.stacks import StackContract

__all__ = ["MeasureContract", "MethodContract", "StackContract"]
