"""`python -m study.submit` in the process of the tests."""

from __future__ import annotations

import io
import subprocess
from contextlib import redirect_stderr, redirect_stdout

from study.submit.__main__ import main
from tests.systems.one_ray import as_in_a_new_process


def submit(*arguments: object) -> subprocess.CompletedProcess:
    """Run the command; returns what it did, as a process of its own would."""
    command = list(map(str, arguments))
    with redirect_stdout(io.StringIO()) as printed, redirect_stderr(io.StringIO()) as errors, as_in_a_new_process():
        status = main(command)
    return subprocess.CompletedProcess(command, status, printed.getvalue(), errors.getvalue())
