"""Options that a command cannot read: one sentence that says what to do, the same for all commands."""

from __future__ import annotations

import importlib

import pytest

RESTORE = ("trainables.restore", "--from", "s", "--images", "p")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("study.launch", "--trials", "x"), "--trials takes a whole number, not 'x'."),
        (("study.launch", "--trials=1.5"), "--trials takes a whole number, not '1.5'."),
        (("study.launch", "--gpu-hours", "1h"), "--gpu-hours takes a number, not '1h'."),
        (("study.simulate", "s", "--grace", "0.1", "third"), "--grace takes a number, not 'third'."),
        (("study.launch", "--precision", "x"), "unknown value of --precision 'x': choose from bf16, fp32, tf32."),
        (("trainables.invert", "--loss", "l3"), "unknown value of --loss 'l3': did you mean 'l2' or 'l1'?"),
        (("study.launch", "--scal", "smoke"), "there is no option --scal: did you mean --scale? --help shows all."),
        (("study.launch", "--dry_run"), "there is no option --dry_run: did you mean --dry-run? --help shows all."),
        (("study.launch", "--unknown=3", "x"), "there is no option --unknown: --help shows all."),
        (("study.launch", "-x"), "there is no option -x: --help shows all."),
        (("study.launch", "gradnorm"), "'gradnorm' belongs to no option: --help shows what each one takes."),
        (("study.launch", "--seeds", "3", "4"), "'4' belongs to no option: --help shows what each one takes."),
        (("study.ui", "--open", "a", "b"), "'b' belongs to no option: --help shows what each one takes."),
        (("study.launch", "--space"), "--space needs a value: --space NAME."),
        (("study.launch", "--space", "--list"), "--space needs a value: --space NAME."),
        ((*RESTORE, "--out"), "--out needs a value: --out PATH."),
        (("study.launch", "--dry-run=yes"), "--dry-run takes no value."),
        (("study.report", "--all"), "say NAME: --help shows what that is."),
        (("trainables.score", "--real", "p"), "say --fake PATH: --help shows what that is."),
        (("trainables.restore",), "say --from PATH and --images PATH: --help shows what that is."),
        (("trainables.restore", "--form", "s"), "there is no option --form: did you mean --from? --help shows all."),
        (("study.submit.__main__", "--backend"), "choose a back end with --backend: slurm, ray-job, kuberay."),
        (("study.submit.__main__", "--backend", "slurm", "--nodes", "x"), "--nodes takes a whole number, not 'x'."),
        (
            ("study.submit.__main__", "--backend", "slurm", "--storage-dir"),
            "--storage-dir needs a value: --storage-dir PATH.",
        ),
    ],
    ids=" ".join,
)
def test_what_cannot_be_read_is_one_sentence(capsys, command, sentence):
    module, *arguments = command
    assert importlib.import_module(module).main(arguments) == 2
    assert capsys.readouterr() == ("", f"error: {sentence}\n")


def test_help_is_shown_whatever_else_is_wrong(capsys):
    with pytest.raises(SystemExit) as ended:
        importlib.import_module("study.launch").main(["--trials", "x", "--help"])
    assert ended.value.code == 0
    assert "--trials N" in capsys.readouterr().out
