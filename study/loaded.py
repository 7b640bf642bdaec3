"""A study as a person reads it in a notebook: `study.load(NAME)`. All of it comes from MLflow."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from PIL import Image

from study.about import SEARCH_FILE, Objective, Search
from study.events import INFEASIBLE, INHERITED_TAG, SEARCHED
from study.run_files import RunFiles
from study.runs import Recorded, read
from study.tracking_uri import tracking_uri_of
from study.verdicts import CLAIMS_FILE
from trainables.errors import InputError

STATES = ("finished", "infeasible", "stopped early", "failed", "unfinished", "running")
"""How a trial ended, or that it has not: a finished one used its whole budget, an infeasible one too, and it breaks a
constraint."""
PICTURES = "pictures"
"""The folder of a trial's artifacts with its pictures."""
SAMPLES = f"{PICTURES}/samples.png"
STUDY_FILE = "study.json"


def load(name: str, tracking_uri: str | None, storage_dir: Path) -> LoadedStudy:
    """The study `name`; see `study.load`."""
    uri = tracking_uri_of(tracking_uri, storage_dir)
    return LoadedStudy(read(uri, name), RunFiles(MlflowClient(uri)))


@dataclass(frozen=True)
class Ranking:
    """The finished trials that one protocol measured, the best first: numbers of other protocols are not ranked."""

    dataset: str
    protocol: str
    trials: pd.DataFrame


class LoadedStudy:
    """What MLflow knows of a study, as DataFrames. It does not change: load it again to see new results."""

    def __init__(self, recorded: Recorded, files: RunFiles) -> None:
        self.recorded = recorded
        self.files = files
        self.name = str(recorded.study.name)

    def trials(self) -> pd.DataFrame:
        """A row per trial, by its number.

        Columns: `state` (one of `STATES`), `dataset`, `protocol`, `first_trial`, `failure`, `started`, `ended`,
        `seconds` (from start to end), `run_id`, `params.<name>` (what was searched, numbers where they are numbers),
        `config.<name>` (the method's whole config, as text) and `metrics.<name>` (the last values).
        """
        return self._trials.copy()

    def curves(self, metrics: Collection[str] | None = None, trials: Collection[int] | None = None) -> pd.DataFrame:
        """A row per evaluation and metric: `trial`, `metric`, `round`, `value`; of these metrics and trials, or of all.

        They are read now, one request for each trial and metric: name the metrics of a large study.
        """
        return self.recorded.curves(metrics, trials)

    def best(self, dataset: str | None = None) -> pd.Series:
        """The row of the best finished trial by the first objective.

        Where trials have several data sets or protocols, `dataset` says which to rank. Raises `InputError` where
        that is not said, or nothing has finished: numbers of different protocols are not ranked.
        """
        rankings = [each for each in self.rankings() if dataset in (None, each.dataset)]
        if not rankings:
            where = "" if dataset is None else f" on {dataset!r}"
            raise InputError(f"study {self.name!r} has no finished trial{where}: wait for one.")
        if len(rankings) > 1:
            found = ", ".join(f"{each.dataset} ({each.protocol[:8]})" for each in rankings)
            raise InputError(
                f"the trials of study {self.name!r} were measured by {len(rankings)} protocols ({found}), and their "
                "numbers may not be ranked together: name a dataset, or select rows of trials()."
            )
        return rankings[0].trials.iloc[0]

    def samples(self, trial: int) -> Image.Image:
        """The picture of a trial's samples; raises `InputError` where there is none."""
        if trial not in self._trials.index:
            raise InputError(f"study {self.name!r} has no trial {trial}: it has {len(self._trials)}.")
        content = self.files.content(str(self._trials.loc[trial, "run_id"]), SAMPLES)
        if content is None:
            raise InputError(f"trial {trial} of study {self.name!r} has no {SAMPLES} among its artifacts.")
        return Image.open(io.BytesIO(content))

    def claims(self) -> pd.DataFrame:
        """A row per claim of the space's documents, as the driver judged it when the study last ended.

        Columns: `claim`, `source`, `metric`, `lower` and `higher` (the values of both groups; NaN for a failed seed),
        `difference`, `low` and `high` (its 95% interval; NaN for an open end), `effect` (in words), `verdict`,
        `verdict_holm` (by Holm's correction over all claims), `after_the_fact`, `values_needed`. Empty without claims.
        """
        columns = ["claim", "source", "metric", "lower", "higher", "difference", "low", "high", "effect", "verdict"]
        columns += ["verdict_holm", "after_the_fact", "values_needed"]
        text = self._text(CLAIMS_FILE)
        rows = [
            {**each, "claim": each["text"], "low": each["interval"][0], "high": each["interval"][1]}
            for each in (json.loads(text)["claims"] if text else [])
        ]
        return pd.DataFrame(rows, columns=columns)

    def rankings(self) -> list[Ranking]:
        """The finished trials of each protocol, the best first by the first objective."""
        objective = self.objectives[0]
        rises = objective.direction == "minimize"
        finished = self._trials[self._trials["state"] == "finished"]
        ranked = finished.sort_values(f"metrics.{objective.name}", ascending=rises, kind="stable")
        measured = finished[["dataset", "protocol"]].drop_duplicates().itertuples(index=False)
        return [
            Ranking(dataset, protocol, ranked[(ranked["dataset"] == dataset) & (ranked["protocol"] == protocol)])
            for dataset, protocol in measured
        ]

    def seeds_of(self, trial: int, metric: str) -> list[float]:
        """The last value of each seed of a trial; of a trial with one seed, its value."""
        rows = self.recorded.per_seed
        found = rows[(rows["trial"] == trial) & (rows["metric"] == metric)]["value"].tolist()
        value: Any = self._trials.loc[trial].get(f"metrics.{metric}")
        return found or ([] if pd.isna(value) else [float(value)])

    @property
    def deleted(self) -> int:
        """How many runs of trials are missing between the others: somebody has deleted them."""
        numbers = self._trials.index
        return 0 if numbers.empty else int(numbers.max()) + 1 - len(numbers) - int(self.tag(INHERITED_TAG, "0"))

    @property
    def is_running(self) -> bool:
        """Whether the driver has not ended yet."""
        return self.recorded.study["status"] in ("RUNNING", "SCHEDULED")

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is optimised."""
        return self.search.objectives

    @cached_property
    def search(self) -> Search:
        """What the driver told about the search; raises `InputError` where it is not among the study's artifacts."""
        text = self._text(SEARCH_FILE)
        if not text:
            raise InputError(
                f"study {self.name!r} has no {SEARCH_FILE} among its artifacts: they cannot be reached from here, or "
                "another version of this program made the study."
            )
        return Search.model_validate_json(text)

    @cached_property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Optuna's distribution of each parameter that was searched."""
        return self.search.distributions()

    @cached_property
    def options(self) -> dict[str, Any]:
        """The options of the study, as its `study.json` keeps them; empty where that cannot be read."""
        text = self._text(STUDY_FILE)
        return json.loads(text)["config"] if text else {}

    def param(self, name: str, default: str = "") -> str:
        """A param of the study's own run, as text."""
        return str(self.recorded.study.get(f"params.{name}", default))

    def tag(self, name: str, default: str = "") -> str:
        """A tag of the study's own run."""
        return str(self.recorded.study.get(f"tags.{name}", default))

    def _text(self, path: str) -> str:
        return self.files.text(self.recorded.study["run_id"], path)

    @cached_property
    def _trials(self) -> pd.DataFrame:
        rows = {number: self._row(dict(row.dropna())) for number, row in self.recorded.trials.iterrows()}
        columns = ["state", "dataset", "protocol", "first_trial", "failure", "started", "ended", "seconds", "run_id"]
        columns += [f"params.{name}" for name in self.distributions]
        columns += [f"metrics.{objective.name}" for objective in self.objectives]
        found = dict.fromkeys([*columns, *(name for row in rows.values() for name in row)])
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(found)).rename_axis("trial")

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        started, ended = row.get("start_time"), row.get("end_time")
        plain = {
            "state": self._state(row),
            "dataset": row.get("tags.dataset"),
            "protocol": row.get("tags.protocol"),
            "first_trial": row.get("tags.first_trial"),
            "failure": row.get("tags.failure"),
            "started": started,
            "ended": ended,
            "seconds": (ended - started).total_seconds() if started is not None and ended is not None else None,
            "run_id": row["run_id"],
        }
        searched = {
            f"params.{name.removeprefix(f'params.{SEARCHED}')}": value
            for name, value in row.items()
            if name.startswith(f"params.{SEARCHED}")
        }
        typed = {name: self._typed(name.removeprefix("params."), text) for name, text in searched.items()}
        config = {
            f"config.{name.removeprefix('params.')}": value
            for name, value in row.items()
            if name.startswith("params.") and not name.startswith(f"params.{SEARCHED}")
        }
        metrics = {name: value for name, value in row.items() if name.startswith("metrics.")}
        return plain | typed | config | metrics

    def _state(self, row: Mapping[str, Any]) -> str:
        status = row["status"]
        if status in ("RUNNING", "SCHEDULED"):
            return "running" if self.is_running else "unfinished"
        if status == "KILLED":
            return "unfinished"
        if status == "FAILED" or f"metrics.{self.objectives[0].name}" not in row:
            return "failed"
        if row.get("metrics.round", 0) < float(row.get("params.rounds", 0)):
            return "stopped early"
        return "infeasible" if f"tags.{INFEASIBLE}" in row else "finished"

    def _typed(self, name: str, text: str) -> Any:
        """A parameter as Optuna has it, from MLflow's text."""
        distribution = self.distributions.get(name)
        if isinstance(distribution, CategoricalDistribution):
            return next((choice for choice in distribution.choices if str(choice) == text), text)
        if isinstance(distribution, FloatDistribution):
            return float(text)
        if isinstance(distribution, IntDistribution):
            return int(float(text))
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return text
