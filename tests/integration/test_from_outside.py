"""A method of a new kind, its measure and its space in a file from outside: nothing in the packages knows of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState

from study.runs import read
from tests.systems.outcome import Outcome, check_complete

FILE = Path(__file__).with_name("mending.py")
SMOKE = ("--scale", "smoke", "--name", "m", "--max-concurrent", "1")
STEPS = [20, 40, 60]


@pytest.fixture
def file(tmp_path):
    """A copy of the file, elsewhere."""
    return shutil.copy(FILE, tmp_path)


def best_values(outcome):
    return [dict(outcome.histories[f"{trial.number:04d}"]["psnr_best"]) for trial in outcome.trials]


@pytest.mark.slow
def test_a_study_of_it_runs_to_its_end_and_goes_on_without_the_file(storage, file, launch):
    """With another budget, and another value of a setting that the space does not search."""
    options = ("--scheduler", "none", "--set", "noise=0.45", "--rounds", str(STEPS[-1]))
    screen = launch(storage, "--space", f"{file}:MendingSpace", *SMOKE, *options)
    assert "psnr_best" in screen
    assert "psnr_degraded" in screen
    outcome = Outcome.of(storage, "m")
    check_complete(outcome, 3, STEPS, objective="psnr_best", metrics=("psnr", "loss_restoration"))
    slow, usual = (trial.value for trial in outcome.trials[:2])
    references = read(f"sqlite:///{storage}/mlflow.db", "m").references
    noisy = references.set_index("name")["value"]["psnr_degraded"]
    assert slow < noisy < usual
    assert outcome.runs["parent"][0].data.tags["best_trial"] == f"{best_of(outcome.trials).number:04d}"
    weights = storage / f"studies/m/trials/{best_of(outcome.trials).number:04d}/best.safetensors"
    assert (storage / "studies/m/best.safetensors").read_bytes() == weights.read_bytes()
    client = MlflowClient(f"sqlite:///{storage}/mlflow.db")
    pictures = client.list_artifacts(outcome.runs["0001"][0].info.run_id, "pictures")
    assert [picture.path for picture in pictures] == ["pictures/restored.png"]

    Path(file).unlink()
    assert "4 finished" in launch(storage, "--resume", "m", "--trials", "4")
    extended = Outcome.of(storage, "m")
    check_complete(extended, 4, STEPS, objective="psnr_best", metrics=("psnr", "loss_restoration"))
    assert best_values(extended)[:3] == best_values(outcome)
    assert all(trial.state == TrialState.COMPLETE for trial in extended.trials)
    noises = {float(extended.runs[f"{trial.number:04d}"][0].data.params["noise"]) for trial in extended.trials}
    assert noises == {0.45}
    refused = launch(storage, "--resume", "m", "--set", "noise=0.3", status=2)
    assert "it cannot go on with --set noise=0.3" in refused


def best_of(trials):
    return max(trials, key=lambda trial: trial.value)


@pytest.mark.parametrize(
    ("space", "options", "sentences"),
    [
        ("nowhere.py:Mine", (), ["there is no file", "nowhere.py"]),
        ("mending.py", (), ["name the class"]),
        ("mending.py:MendngSpace", (), ["unknown class", "did you mean 'MendingSpace'"]),
        ("mending.py:Mending", (), ["mending:Mending", "is not a subclass of SearchSpace"]),
        ("mending.py:RefusedSpace", (), ["sets lr of mending:Mending to", "less than or equal to 1"]),
        ("mending.py:UnableSpace", (), ["'discriminator_only'", "'mending:Restoration'", "estore"]),
        ("mending.py:MendingSpace", ("--set", "nois=0.1"), ["unknown setting", "'nois'", "did you mean 'noise'"]),
        ("mending.py:MendingSpace", ("--set", "lr=0.1"), ["--set lr=0.1", "searches lr"]),
        ("mending.py:MendingSpace", ("--set", "noise=-1"), ["--set noise=-1", "greater than or equal to 0"]),
        ("mending.py:MendingSpace", ("--set", "noise"), ["--set noise", "KEY=VALUE"]),
        ("mending.py:MendingSpace", ("--rounds", "0"), ["--rounds", "at least 1"]),
        ("mending.py:MendingSpace", ("--objectives", "psnrr"), ["unknown objective 'psnrr'", "did you mean 'psnr'"]),
        ("mending.py:MendingSpace", ("--ood-sets", "scrambled"), ["--ood-sets"]),
    ],
)
def test_what_makes_no_sense_is_one_sentence_before_anything_is_made(tmp_path, file, launch, space, options, sentences):
    storage = tmp_path / "outputs"
    shown = launch(storage, "--space", str(tmp_path / space), *SMOKE, *options, status=2)
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1
    for sentence in sentences:
        assert sentence in shown
    assert not storage.exists()
