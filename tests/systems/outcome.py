"""What a study has left in Optuna and in MLflow, and whether that is all of it, and once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from mlflow import MlflowClient
from mlflow.entities import Run
from optuna.trial import TrialState

from study.metric_names import plain
from study.optuna_storage import open_storage

DURATIONS = ("seconds_", "cpu_hours", "gpu_hours", "evaluation_share", "images_per_second", "memory_mb")
METRICS = ("fid_lenet", "auroc", "inner_updates")
"""Some of those of a study on images, by the discriminator-only method."""
PARENT = "parent"


@dataclass(frozen=True)
class Outcome:
    """Trials of Optuna, runs of MLflow by trial, metric histories by trial and metric, last values the same way."""

    trials: list[optuna.trial.FrozenTrial]
    runs: dict[str, list[Run]]
    histories: dict[str, dict[str, list[tuple[int, float]]]]
    metrics: dict[str, dict[str, float]]

    @classmethod
    def of(
        cls, storage: Path, name: str, tracking_uri: str | None = None, optuna_storage: str | None = None
    ) -> Outcome:
        """Read it all; from the storage folder's own files where no server or database is named."""
        client = MlflowClient(tracking_uri or f"sqlite:///{storage}/mlflow.db")
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        runs: dict[str, list[Run]] = {}
        for run in client.search_runs(experiments, f"tags.study = '{name}'"):
            runs.setdefault(run.data.tags["trial"], []).append(run)
        histories, metrics = {}, {}
        for trial, (run, *_) in runs.items():
            names = {metric: called for called in run.data.metrics if (metric := plain(called)) is not None}
            metrics[trial] = {metric: run.data.metrics[called] for metric, called in names.items()}
            if trial != PARENT:
                histories[trial] = {
                    metric: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, called)]
                    for metric, called in names.items()
                    if not metric.startswith(DURATIONS)
                }
        return cls(trials_of(storage, name, optuna_storage), runs, histories, metrics)

    def status(self, trial: str = PARENT) -> str:
        """What MLflow says of the only run of a trial, or of the study."""
        (run,) = self.runs[trial]
        return run.info.status


def trials_of(storage: Path, name: str, optuna_storage: str | None = None) -> list[optuna.trial.FrozenTrial]:
    """The trials that have been started; none where there is no study yet."""
    journal = storage / f"studies/{name}/optuna.journal"
    if optuna_storage is None and not journal.exists():
        return []
    opened = open_storage(optuna_storage or str(journal))
    if name not in optuna.get_all_study_names(opened):
        return []
    trials = optuna.load_study(study_name=name, storage=opened).trials
    return [trial for trial in trials if trial.state != TrialState.WAITING]


def check_complete(
    outcome: Outcome,
    num_trials: int,
    steps: Sequence[int],
    objective: str = "fid_lenet_best",
    metrics: Sequence[str] = METRICS,
) -> None:
    """Every trial once in Optuna and MLflow, ended, with every step of every metric once and in order.

    `steps` are those of a trial that used its budget; one that was stopped early has the first of them.
    """
    keys = [f"{number:04d}" for number in range(num_trials)]
    assert [trial.number for trial in outcome.trials] == list(range(num_trials))
    others = {
        t.number: (t.state.name, t.user_attrs) for t in outcome.trials if t.state.name not in ("COMPLETE", "PRUNED")
    }
    assert not others, others
    assert sorted(outcome.runs) == [*keys, PARENT]
    assert {outcome.status(trial) for trial in outcome.runs} == {"FINISHED"}
    for trial in outcome.trials:
        history = outcome.histories[keys[trial.number]]
        reported = list(trial.intermediate_values)
        assert reported == list(steps[: len(reported)])
        assert (trial.state.name == "COMPLETE") == (reported == list(steps))
        for metric in (objective, *metrics):
            assert [step for step, _ in history[metric]] == reported, (trial.number, metric, history[metric])
        assert dict(history[objective]) == trial.intermediate_values
        if "inner_updates" in metrics:
            updates = [value for _, value in history["inner_updates"]]
            assert updates == sorted(updates)


def check_equal(outcome: Outcome, expected: Outcome) -> None:
    """The same suggestions and the same numbers, to the last bit."""
    assert [trial.params for trial in outcome.trials] == [trial.params for trial in expected.trials]
    assert [trial.state for trial in outcome.trials] == [trial.state for trial in expected.trials]
    assert [trial.values for trial in outcome.trials] == [trial.values for trial in expected.trials]
    assert outcome.histories == expected.histories
