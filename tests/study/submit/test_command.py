"""The command line of a submission: how a back end is chosen, and what every one refuses with nothing submitted."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from study.config import StudyConfig, to_json
from study.submit.__main__ import BACKENDS, main
from study.submit.slurm import SlurmOptions
from study.submit.submission import Submission

SLURM = ("--backend", "slurm", "--space", "gradnorm", "--cpus-per-node", "4")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--space", "gradnorm"], "choose a back end with --backend: slurm"),
        (["--backend", "slrum"], "unknown back end 'slrum': did you mean 'slurm'?"),
        (["--backend", "slurm", "--space", "gradnrm"], "unknown space 'gradnrm': did you mean 'gradnorm'?"),
        ([*SLURM, "--trials", "0"], "--trials is 0: it must be at least 1."),
        ([*SLURM, "--nodes", "0"], "--nodes is 0: it must be at least 1."),
        ([*SLURM, "--gpus-per-node", "-1"], "--gpus-per-node is -1: it must be at least 0."),
        ([*SLURM, "--resume", "mine"], "continues by itself: say --name mine instead of --resume"),
        ([*SLURM, "--gpus-per-trial", "1"], "asks for 1 CPUs and 1 GPUs, a node would have 4 and 0: raise"),
        ([*SLURM, "--cpus-per-trial", "8"], "asks for 8 CPUs and 0 GPUs, a node would have 4 and 0: raise"),
        (
            [*SLURM, "--memory-per-node", "8Gi"],
            "--memory-per-node is not an option of --backend slurm, but of kuberay:",
        ),
        ([*SLURM, "--no-wait"], "--no-wait is not an option of --backend slurm, but of ray-job: leave it out."),
        (["--backend=ray-job", "--nodes=2"], "--nodes is not an option of --backend ray-job, but of slurm and kuberay"),
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
    submission = Submission.of(config, SlurmOptions())
    assert submission.name.startswith("gradnorm-laptop-")
    assert submission.launch_arguments("auto") == [
        *("--space", "gradnorm", "--name", submission.name, "--trials", "3"),
        *("--resume", "auto", "--address", "auto", "--storage-dir", str(tmp_path / "outputs")),
    ]


def test_the_options_of_another_studys_file_are_said_to_the_cluster(tmp_path):
    other = StudyConfig(space="gradnorm", scale="smoke", sampler="random", seed=7)
    file = tmp_path / "study.json"
    file.write_text(json.dumps({"config": to_json(other, "other")}))
    config = StudyConfig(from_file=file, seed=8, storage_dir=tmp_path, name="mine")
    arguments = Submission.of(config, SlurmOptions()).launch_arguments()
    assert arguments == [
        *("--space", "gradnorm", "--scale", "smoke", "--name", "mine", "--sampler", "random", "--seed", "8"),
        *("--resume", "auto", "--storage-dir", str(tmp_path)),
    ]


def test_help_without_a_back_end_lists_them(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, backend in BACKENDS.items():
        assert f"  {name:<10}{backend.summary}\n" in shown
    assert "--backend NAME --help" in shown


@pytest.mark.parametrize("name", BACKENDS)
def test_help_of_a_back_end_shows_its_options_and_the_studys_and_no_others(capsys, name):
    with pytest.raises(SystemExit) as ended:
        main(["--backend", name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    own = {flag_of(field) for field in fields(BACKENDS[name].options_class)}
    all_options = {flag_of(field) for backend in BACKENDS.values() for field in fields(backend.options_class)}
    assert {"--space", "--trials"} <= set(shown.split())
    assert all_options & set(shown.replace("|", " ").split()) == own


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("slurm", ["--list", "--check", "--resume", "--address"]),
        ("ray-job", ["--list", "--check", "--resume"]),
        ("kuberay", ["--list", "--check", "--resume", "--address"]),
    ],
)
def test_help_of_a_back_end_leaves_out_what_it_refuses(capsys, tmp_path, name, refused):
    with pytest.raises(SystemExit):
        main(["--backend", name, "--help"])
    shown = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  --")]
    for option in refused:
        assert option not in shown
        value = ["mine"] if option in ("--resume", "--address") else []
        own = ["--image", "an/image", "--claim", "storage"] if name == "kuberay" else []
        arguments = ["--backend", name, *own, "--space", "gradnorm", "--storage-dir", str(tmp_path), option, *value]
        assert main([*arguments, "--dry-run"]) == 2
        assert option in capsys.readouterr().err


def flag_of(field):
    return f"--{field.name.replace('_', '-')}"


def test_no_option_of_a_back_end_is_also_one_of_the_study():
    study = {field.name for field in fields(StudyConfig)}
    for backend in BACKENDS.values():
        assert study.isdisjoint(field.name for field in fields(backend.options_class))
