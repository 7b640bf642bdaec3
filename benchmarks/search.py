"""What early stopping and a model of the settings are worth: ASHA with TPE against random search, equal compute.

The space is gradnorm on the digits at the laptop scale, its first trials included in both. Compute is counted in
updates of a batch of images, which most of a trial's time goes into, so that other work on the machine does not
change the outcome. Half an hour on two cores.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from mlflow import MlflowClient

from study.events import PARENT
from study.runs import STUDY_TAG, TRIAL_TAG

SEEDS = (0, 1, 2)
OBJECTIVE = "fid_lenet_best"
STUDIES = {
    "random": ("--sampler", "random", "--scheduler", "none", "--trials", "12"),
    "tpe + asha": ("--sampler", "tpe", "--scheduler", "asha", "--trials", "36"),
}


def curve(storage: Path, name: str) -> list[tuple[float, float]]:
    """The best objective so far after each evaluation of the study, and the compute used until then."""
    client = MlflowClient(f"sqlite:///{storage / 'mlflow.db'}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    evaluations = []
    for run in client.search_runs(experiments, f"tags.{STUDY_TAG} = '{name}'"):
        if run.data.tags[TRIAL_TAG] == PARENT:
            continue
        values = client.get_metric_history(run.info.run_id, OBJECTIVE)
        updates = client.get_metric_history(run.info.run_id, "cost/inner_updates")
        before = 0.0
        for value, used in zip(values, updates, strict=True):
            evaluations.append((value.timestamp, used.value - before, value.value))
            before = used.value
    points, compute, best = [], 0.0, float("inf")
    for _, used, value in sorted(evaluations):
        compute, best = compute + used, min(best, value)
        points.append((compute, best))
    return points


def run(storage: Path, name: str, seed: int, options: tuple[str, ...]) -> list[tuple[float, float]]:
    """Run one study; returns its curve."""
    command = [sys.executable, "-m", "study.launch", "--space", "gradnorm", "--name", name, "--seed", str(seed)]
    subprocess.run(
        [*command, *options, "--no-report", "--storage-dir", str(storage)], check=True, stdout=subprocess.DEVNULL
    )
    return curve(storage, name)


def main() -> None:
    """Per seed: random search's final best, and how much of its compute the other took to be as good."""
    shares = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            curves = {
                name: run(Path(folder), f"{name.split()[0]}-{seed}", seed, options) for name, options in STUDIES.items()
            }
            budget, goal = curves["random"][-1]
            other = curves["tpe + asha"]
            within = [best for compute, best in other if compute <= budget]
            reached = next((compute for compute, best in other if best <= goal), None)
            shares.append(reached / budget if reached else float("inf"))
            took = f"reached it after {shares[-1]:.2f} of that" if reached else "never reached it"
            print(
                f"seed {seed}: random search {goal:.1f} after {budget:.0f} updates; tpe + asha {took}, "
                f"and had {within[-1]:.1f} at equal compute ({other[-1][0] / budget:.2f} of it used)",
                flush=True,
            )
    print(f"mean share of the compute: {sum(shares) / len(shares):.2f}")
