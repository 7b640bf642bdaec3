"""What the command line answers without waiting for Ray, torch and MLflow. Each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("ray", "torch", "mlflow", "pandas", "sklearn", "matplotlib")

PROGRAM = """
import sys
from study.{command} import main
try:
    status = main(sys.argv[1:])
except SystemExit as left:
    status = left.code
print([name for name in {heavy} if name in sys.modules], file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--help"], 0, "--space"),
        (["--list"], 0, "gradnorm"),
        (["--space", "gradnrm"], 2, "did you mean 'gradnorm'"),
        (["--space", "gradnorm", "--scale", "smok"], 2, "did you mean 'smoke'"),
        (["--space", "gradnorm", "--dataset", "digit"], 2, "did you mean 'digits'"),
        (["--space", "gradnorm", "--objectives", "fid_bets"], 2, "did you mean 'fid_best'"),
        (["--space", "gradnorm", "--sampler", "tpf"], 2, "did you mean 'tpe'"),
        (["--space", "gradnorm", "--scheduler", "ahsa"], 2, "did you mean 'asha'"),
        (["--resume", "nothing"], 2, "there is no study 'nothing'"),
    ],
)
def test_help_lists_and_typos_load_nothing_heavy(tmp_path, arguments, status, said):
    loads_nothing_heavy("launch", [*arguments, "--storage-dir", str(tmp_path)], status, said)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [(["--help"], 0, "--markdown"), (["s", "--watch", "--all"], 2, "leave out"), (["s", "--out", "/no/r"], 2, "/no")],
)
def test_reports_that_are_not_made_load_nothing_heavy(arguments, status, said):
    loads_nothing_heavy("report", arguments, status, said)


def loads_nothing_heavy(command, arguments, status, said):
    program = [sys.executable, "-c", PROGRAM.format(heavy=HEAVY, command=command), *arguments]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stderr
    assert said in done.stdout + done.stderr
    assert done.stderr.splitlines()[-1] == "[]"
