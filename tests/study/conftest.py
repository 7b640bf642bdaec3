from __future__ import annotations

import pytest

from study.submit import __main__ as submit


@pytest.fixture
def refused(capsys):
    """Submits; returns the sentence with which the arguments are refused. Nothing else is printed."""

    def refuse(*arguments):
        assert submit.main([str(argument) for argument in arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
        return captured.err

    return refuse
