"""A real study through the command line, and what it leaves in MLflow, in Optuna and on the disk."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState

from study import load
from study.optuna_storage import open_storage
from study.runs import read
from tests.systems.browser import Charts, browser_page, why_not
from tests.systems.driver import Driver
from tests.systems.mlflow_server import MlflowServer
from tests.systems.outcome import Outcome
from tests.systems.storage import of_tiny

pytestmark = pytest.mark.slow

LOOPBACK = ("127.", "[::1]", "[::ffff:127.")
METRICS = ("fid_lenet", "fid_lenet_best", "is_lenet", "auroc", "ood/auroc_scrambled", "ood/auroc_photo_patches")


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    """An empty folder: the only study that prepares all it needs."""
    return tmp_path_factory.mktemp("outputs")


@dataclass(frozen=True)
class Finished:
    """A study that has ended: its screen, the errors on it, and the addresses at which it listened while it trained."""

    screen: str
    errors: str
    listened: list[str] | None


@pytest.fixture(scope="module")
def study(storage):
    options = ("--space", "gradnorm", "--scale", "smoke", "--name", "s", "--scheduler", "none")
    driver = Driver(storage, *options, report=True)
    driver.start()
    driver.until(driver.workers)
    addresses = listening([driver.process.pid, *driver.below()])
    assert driver.wait() == 0, driver.screen()
    return Finished(driver.screen(), driver.errors(), addresses)


def listening(pids):
    """The addresses, with ports, at which the processes listen for TCP or UDP; None where `ss` is not installed."""
    if shutil.which("ss") is None:
        return None
    shown = subprocess.run(["ss", "-Hltunp"], capture_output=True, text=True, check=True).stdout
    lines = [line for line in shown.splitlines() if any(f"pid={pid}," in line for pid in pids)]
    return [line.split()[4] for line in lines]


@pytest.fixture(scope="module")
def runs(study, storage):
    client = MlflowClient(f"sqlite:///{storage}/mlflow.db")
    experiment = client.get_experiment_by_name("gradnorm")
    found = client.search_runs([experiment.experiment_id])
    return {run.data.tags["trial"]: run for run in found}, client


def test_rays_snapshots_hold_no_trials(study, storage):
    snapshots = [*(storage / "studies/s/ray").glob("experiment_state*")]
    assert snapshots
    assert all(json.loads(snapshot.read_text())["trial_data"] == [] for snapshot in snapshots)


def test_the_screen_shows_progress_and_the_way_on(study, storage):
    shown = study.screen
    assert re.search(r"\[ *2/2\] trial +\d  fid_lenet_best +\d+\.\d\d  best .* left", shown)
    assert "fid_lenet_noise" in shown
    assert "published: all" in shown
    assert f"-m study.ui s --storage-dir {storage} --open" in shown
    assert "its trials, the best first: http://127.0.0.1:5000/#/experiments/" in shown
    assert "the best trials beside the first trials: http://127.0.0.1:5000/#/compare-runs?" in shown
    assert "-m study.launch --confirm s --top 3 --seeds 5" in shown
    assert "-m study.launch --resume s --trials 4" in shown
    assert len(shown.splitlines()) < 56
    assert study.errors == ""


def test_it_writes_its_report(study, storage):
    assert f"report: {storage}/studies/s/report.html" in study.screen
    loaded = load("s", storage_dir=storage)
    page = (storage / "studies/s/report.html").read_text()
    assert f"Trial {loaded.best().name} was best" in page
    assert loaded.files.text(loaded.recorded.study["run_id"], "report.html") == page
    assert list(loaded.trials()["state"]) == ["finished", "finished"]
    assert loaded.samples(0).size[0] > 8
    first = loaded.curves(["fid_lenet"])
    assert list(first["round"].unique()) == [2, 4]
    assert "--no-report" not in page
    assert "data:image/png;base64," in page


def test_mlflow_has_a_run_for_the_study_and_one_per_trial(runs):
    by_trial, _ = runs
    assert set(by_trial) == {"parent", "0000", "0001"}
    parent = by_trial["parent"]
    for name, trial_run in by_trial.items():
        assert trial_run.info.status == "FINISHED"
        assert trial_run.info.end_time >= trial_run.info.start_time
        assert trial_run.data.tags["space"] == "gradnorm"
        assert trial_run.data.tags["method"] == "discriminator_only"
        assert len(trial_run.data.tags["protocol"]) == 64
        assert trial_run.data.tags["git_commit"]
        assert trial_run.data.tags["version.ray"]
        if name != "parent":
            assert trial_run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    best = min(("0000", "0001"), key=lambda name: by_trial[name].data.metrics["fid_lenet_best"])
    assert parent.data.tags["best_trial"] == best
    hours = [by_trial[name].data.metrics["cost/cpu_hours"] for name in ("0000", "0001")]
    assert min(hours) > 0
    # Nothing else: the chart view would show bars of it instead of the trials.
    assert parent.data.metrics == {"cost/cpu_hours": pytest.approx(sum(hours))}


def test_the_reference_values_are_a_table_of_the_study(runs, storage):
    references = read(f"sqlite:///{storage}/mlflow.db", "s").references
    assert set(references["dataset"]) == {"digits"}
    values = references.set_index("name")["value"]
    assert values["fid_lenet_noise"] > values["fid_lenet_test_images"]
    assert values["classifier_test_accuracy"] > 0.95


def test_mlflow_has_the_params_metrics_and_pictures_of_a_trial(runs):
    by_trial, client = runs
    run = by_trial["0000"]
    assert run.data.params["lambda_gnorm"] == "50.0"
    assert run.data.params["seed"] == "0"
    assert by_trial["0001"].data.params["seed"] == "1"
    for metric in METRICS:
        history = client.get_metric_history(run.info.run_id, metric)
        assert [m.step for m in history] == [2, 4]
        assert all(math.isfinite(m.value) for m in history)
    for metric in ("seconds_training", "images_per_second", "inner_updates", "memory_mb"):
        assert run.data.metrics[f"cost/{metric}"] > 0
    pictures = {artifact.path for artifact in client.list_artifacts(run.info.run_id, "pictures")}
    assert pictures == {"pictures/samples.png", "pictures/nearest.png", "pictures/scores.png"}
    images = [artifact.path for artifact in client.list_artifacts(run.info.run_id, "images")]
    frames = {tuple(path.removeprefix("images/").split("+")[:3]) for path in images}
    assert frames == {(name, "step", step) for name in ("samples", "nearest") for step in ("2", "4")}
    assert len(images) == 8, "each with its small copy"


def test_the_best_trials_weights_are_the_studys(runs, storage):
    by_trial, client = runs
    parent = by_trial["parent"]
    weights = storage / "studies/s/trials" / parent.data.tags["best_trial"] / "best.safetensors"
    assert (storage / "studies/s/best.safetensors").read_bytes() == weights.read_bytes()
    kept = client.download_artifacts(parent.info.run_id, "best.safetensors")
    assert Path(kept).read_bytes() == weights.read_bytes()


def test_a_trial_process_stays_small(runs):
    by_trial, _ = runs
    peaks = [by_trial[name].data.metrics["cost/memory_mb"] for name in ("0000", "0001")]
    assert 300 < min(peaks) <= max(peaks) < 700  # of its own; torch alone takes the lower


def test_optuna_agrees_with_mlflow(study, runs, storage):
    by_trial, _ = runs
    journal = storage / "studies/s/optuna.journal"
    trials = optuna.load_study(study_name="s", storage=open_storage(journal)).trials
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    assert [trial.number for trial in finished] == [0, 1]
    assert {trial.state for trial in trials[2:]} <= {TrialState.WAITING}
    for trial in finished:
        run = by_trial[f"{trial.number:04d}"]
        assert trial.value == run.data.metrics["fid_lenet_best"]
        assert trial.params["image_lr"] == float(run.data.params["image_lr"])


def test_everything_is_in_the_storage_folder(study, storage):
    found = {path.name for path in storage.iterdir() if not path.name.startswith("driver-")}
    assert found == {"cache", "mlartifacts", "mlflow.db", "studies"}


def test_it_listens_on_loopback_alone(study):
    """Whoever reaches a port of Ray runs code."""
    if study.listened is None:
        pytest.skip("iproute2, which ss is of, is not installed")
    assert len(study.listened) > 3, "Ray's own servers"
    assert [address for address in study.listened if not address.startswith(LOOPBACK)] == []


# --- MLflow's pages, in a browser -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def addresses(study, storage, tmp_path_factory):
    """The two addresses that the study printed, at a server that shows its files."""
    if reason := why_not():
        pytest.skip(reason)
    server = MlflowServer(tmp_path_factory.mktemp("server"), f"sqlite:///{storage}/mlflow.db")
    server.start()
    printed = re.findall(r"http://127\.0\.0\.1:5000(/#/\S+)", study.screen)
    yield [server.uri + address for address in printed]
    server.stop()


def test_the_charts_show_each_trial_its_images_and_what_was_searched(addresses):
    with browser_page() as page:
        charts = Charts(page, addresses[0])
        charts.wait_for_trials(2)
        page.get_by_text("0000 published: all", exact=True).first.wait_for()
        assert charts.titles()[:3] == ["fid_lenet_best", "Parallel Coordinates", "samples"]
        assert charts.lines("fid_lenet_best") == 2
        last, first = (charts.images("samples", step) for step in (4, 2))
        assert len(last) == len(first) == 2
        assert not set(last) & set(first)
        axes = charts.axes()
        assert axes[-1] == "fid_lenet_best"
        assert len(axes) == 9, axes
        assert any(axis.startswith("search") and axis.endswith("age_lr") for axis in axes), axes


def test_the_comparison_shows_the_best_trials_and_the_published_ones(addresses):
    with browser_page() as page:
        page.goto(addresses[1], wait_until="commit")
        page.get_by_text("Comparing 2 Runs from 1 Experiment").wait_for()
        page.get_by_text("0000 published: all").first.wait_for()
        page.get_by_text("image_lr").first.wait_for()


def test_the_same_name_again_is_refused(study, storage, launch):
    before = sorted(path.stat().st_mtime_ns for path in (storage / "studies").rglob("*"))
    sentence = launch(storage, "--space", "gradnorm", "--scale", "smoke", "--name", "s", status=2)
    assert re.fullmatch(r"error: study 's' exists already in .*--name.*\n", sentence)
    assert sorted(path.stat().st_mtime_ns for path in (storage / "studies").rglob("*")) == before


def test_a_study_without_a_successful_trial_has_failed_and_goes_on_all_the_same(new_storage, launch):
    storage = new_storage()
    screen = launch(storage, *of_tiny("Diverging"), "--trials", "1", "--name", "d", status=1)
    assert "failed: loss_discriminator became inf in round 1" in screen
    outcome = Outcome.of(storage, "d")
    assert {trial: outcome.status(trial) for trial in outcome.runs} == {"parent": "FAILED", "0000": "FAILED"}

    launch(storage, "--resume", "d", "--trials", "2")
    outcome = Outcome.of(storage, "d")
    assert {trial: outcome.status(trial) for trial in outcome.runs} == {
        "parent": "FINISHED",
        "0000": "FAILED",
        "0001": "FINISHED",
    }
    assert outcome.runs["0000"][0].data.tags["failure"] == "loss_discriminator became inf in round 1"
    assert [trial.state for trial in outcome.trials] == [TrialState.FAIL, TrialState.COMPLETE]
