"""The command line of a submission: what every backend refuses, before anything is submitted."""

from __future__ import annotations

import pytest

from study.config import StudyConfig
from study.submit.backend import ClusterOptions, Submission

SLURM = ("--backend", "slurm", "--space", "gradnorm", "--cpus-per-node", "4")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--space", "gradnorm"], "say where to with --backend: slurm"),
        (["--backend", "slrum"], "unknown backend 'slrum': did you mean 'slurm'?"),
        (["--backend", "slurm", "--space", "gradnrm"], "unknown space 'gradnrm': did you mean 'gradnorm'?"),
        ([*SLURM, "--trials", "0"], "--trials is 0: it must be at least 1."),
        ([*SLURM, "--nodes", "0"], "--nodes is 0: it must be at least 1."),
        ([*SLURM, "--gpus-per-node", "-1"], "--gpus-per-node is -1: it must be at least 0."),
        ([*SLURM, "--resume", "mine"], "goes on where it is by itself: say --name mine instead of --resume"),
        ([*SLURM, "--gpus-per-trial", "1"], "asks for 1 CPUs and 1 GPUs, a node would have 4 and 0: raise"),
        ([*SLURM, "--cpus-per-trial", "8"], "asks for 8 CPUs and 0 GPUs, a node would have 4 and 0: raise"),
        ([*SLURM, "--check"], "--check and --list are for study.launch"),
        ([*SLURM, "--optuna-storage", "postgresql://me:secret@db/x"], "--optuna-storage holds a password"),
        ([*SLURM, "--tracking-uri", "https://me:secret@mlflow/"], "--tracking-uri holds a password"),
    ],
)
def test_bad_input_is_one_sentence(refused, tmp_path, arguments, sentence):
    shown = refused("--storage-dir", str(tmp_path / "out"), *arguments)
    assert sentence in shown
    assert "secret" not in shown
    assert not (tmp_path / "out").exists()


def test_a_submitted_study_has_a_name_and_goes_on_by_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = StudyConfig(space="gradnorm", trials=3, dry_run=True)
    submission = Submission.of(config, ClusterOptions())
    assert submission.name.startswith("gradnorm-laptop-")
    assert submission.launch_arguments("auto") == [
        *("--space", "gradnorm", "--name", submission.name, "--trials", "3"),
        *("--storage-dir", str(tmp_path / "outputs"), "--address", "auto", "--resume", "auto"),
    ]
