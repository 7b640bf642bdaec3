"""What the command line answers without waiting for Ray, torch and MLflow."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("ray", "torch", "mlflow", "pandas", "sklearn", "matplotlib")

PROGRAM = """
import contextlib, io, json, sys
from study import launch, report
answers = []
for program, *arguments in json.load(sys.stdin):
    main = dict(launch=launch, report=report)[program].main
    with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.redirect_stderr(shown):
        try:
            status = main(arguments)
        except SystemExit as left:
            status = left.code
    answers.append([status, shown.getvalue(), [name for name in {heavy} if name in sys.modules]])
print(json.dumps(answers))
"""

COMMANDS = [
    (["report", "--help"], 0, "--markdown"),
    (["report", "s", "--watch", "--all"], 2, "leave out"),
    (["report", "s", "--out", "/nowhere/r"], 2, "there is no folder /nowhere"),
    (["launch", "--help"], 0, "--space"),
    (["launch", "--list"], 0, "gradnorm"),
    (["launch", "--space", "gradnrm"], 2, "did you mean 'gradnorm'"),
    (["launch", "--space", "gradnorm", "--scale", "smok"], 2, "did you mean 'smoke'"),
    (["launch", "--space", "gradnorm", "--dataset", "digit"], 2, "did you mean 'digits'"),
    (["launch", "--space", "gradnorm", "--objectives", "fid_bets"], 2, "did you mean 'fid_best'"),
    (["launch", "--space", "gradnorm", "--sampler", "tpf"], 2, "did you mean 'tpe'"),
    (["launch", "--space", "gradnorm", "--scheduler", "ahsa"], 2, "did you mean 'asha'"),
    (["launch", "--resume", "nothing"], 2, "there is no study 'nothing'"),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What a new process answers to one command after the other, and what it has loaded by then."""
    storage = str(tmp_path_factory.mktemp("outputs"))
    commands = [[*arguments, "--storage-dir", storage] for arguments, _, _ in COMMANDS]
    program = [sys.executable, "-c", PROGRAM.format(heavy=HEAVY)]
    done = subprocess.run(program, input=json.dumps(commands), capture_output=True, text=True, timeout=300, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=lambda number: " ".join(COMMANDS[number][0]))
def test_help_lists_and_typos_load_nothing_heavy(answers, number):
    _, expected, said = COMMANDS[number]
    status, shown, loaded = answers[number]
    assert (status, loaded) == (expected, []), shown
    assert said in shown
