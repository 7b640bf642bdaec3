"""Studies in MLflow that nobody trained: what their drivers would tell, through the real writer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from PIL import Image

from study import events
from study.optuna_storage import FIRST_TRIAL, METRICS, ask, create_study
from study.plan import StudyPlan, study_json
from study.registration import register, registered
from study.runs import Runs
from study.spending import Spending
from study.trial_specs import make_spec
from study.trials import FAILURE
from study.verdicts import CLAIMS_FILE, judge_all, write_claims
from trainables.preparation import Preparation
from trainables.protocol import AT_BEST, BEST, base_name
from trainables.repetitions import PER_SEED

Final = Callable[[Mapping[str, Any], int], "float | str"]
"""The objective of a trial at its end by its parameters and its number, or why it failed."""

STOPPED_ABOVE = 2 / 3
"""A trial stops at a third of its rounds if it is worse than this share of the trials that were there before."""


def tell(
    plan: StudyPlan,
    final: Final,
    *,
    stops: bool = False,
    pictures: bool = True,
    is_over: bool = True,
    references: Mapping[str, float] | None = None,
    deliver: Callable[[Any], None] | None = None,
) -> optuna.Study:
    """Write a study to its MLflow; returns Optuna's study of it.

    A trial approaches its end in `1 / round`. Its further seeds are 2% apart, its second objective is the distance of
    the first one from 100. With `stops`, the worst third ends early.
    """
    plan.folder.path.mkdir(parents=True, exist_ok=True)
    plan.folder.write(study_json(plan))
    register(plan.folder.path, plan.claims, plan.space, plan.seeds, events.git_commit())
    runs = Runs(plan.tracking_uri, plan.space.name, plan.name, plan.artifacts)
    put = deliver or (lambda event: runs.deliver(json.loads(json.dumps(event))))
    preparations = {name: Preparation(p, dict(references or {}), ()) for name, p in plan.protocols.items()}
    tags = events.study_tags(plan, preparations)
    study = create_study(plan.name, optuna.storages.InMemoryStorage(), plan.directions, plan.space.first_trials())
    spending = Spending(study, plan.resources)
    put(events.study_started(plan, preparations, tags))
    at_rung: list[float] = []
    for _ in range(plan.trials):
        trial = ask(study, plan.sampler, plan.seed)
        spec = make_spec(plan, trial, plan.protocols)
        put(events.trial_started(spec, tags))
        value = final(trial.params, trial.number)
        if isinstance(value, str):
            trial.set_user_attr(FAILURE, value)
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            put(events.trial_ended(spec.number, plan.folder.trial(spec.number), value, spending.of_trial(spec.number)))
            continue
        sign = 1 if plan.directions[0] == "minimize" else -1
        result: dict[str, Any] = {}
        for round_number in range(plan.evaluate_every, plan.rounds + 1, plan.evaluate_every):
            now = value * (1 + sign * (plan.rounds / round_number - 1) / 4)
            result = _result(plan, trial.number, now, round_number)
            put(events.trial_reported(spec, result))
            if len(plan.objectives) == 1:
                trial.report(now, round_number)
            if stops and round_number == math.ceil(plan.rounds / 3 / plan.evaluate_every) * plan.evaluate_every:
                worse = sum(sign * other < sign * now for other in at_rung)
                at_rung.append(now)
                if FIRST_TRIAL not in trial.user_attrs and worse > STOPPED_ABOVE * len(at_rung):
                    break
        trial.set_user_attr(METRICS, {k: v for k, v in result.items() if isinstance(v, float)})
        folder = plan.folder.trial(spec.number)
        if plan.seeds > 1:
            trial.set_user_attr(PER_SEED, result[PER_SEED])
            events.keep_per_seed(folder, result[PER_SEED])
        if pictures:
            _draw(folder / "pictures", trial.number)
        if result["round"] < plan.rounds:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, [result[name] for name in plan.objectives])
        put(events.trial_ended(spec.number, folder, None, spending.of_trial(spec.number), result["round"]))
    if is_over:
        best = study.best_trials[0].number if study.best_trials else None
        if len(plan.objectives) > 1:
            front = {trial.number for trial in study.best_trials}
            for trial in study.get_trials(states=(optuna.trial.TrialState.COMPLETE,)):
                put(events.trial_compared(trial.number, trial.number in front))
        put(events.study_ended(best, plan.folder.path / "none", "FINISHED", spending.of_study()))
        if judged := judge_all(plan, study, preparations):
            write_claims(plan.folder.path / CLAIMS_FILE, judged, registered(plan.folder.path))
            put(events.claims_judged(judged, plan.folder.path / CLAIMS_FILE))
    if deliver is None:
        assert runs.refused == []
    return study


def _result(plan: StudyPlan, number: int, value: float, round_number: int) -> dict[str, Any]:
    """A report; the seeds are spread around `value`, so that this is their mean."""
    objective = plan.objectives[0]
    metrics: dict[str, Any] = {objective: value, base_name(objective): value * 1.01}
    metrics |= {
        other: abs(value - 100.0) / 100
        for name in plan.objectives[1:]
        for other in (name, base_name(name) + BEST, base_name(name))
    }
    metrics["duplicates"] = metrics[f"duplicates{AT_BEST}"] = 0.25
    metrics["loss_discriminator"], metrics["loss_discriminator_swing"] = 1 / round_number, 0.1
    if base_name(objective).startswith("fid"):
        metrics[f"{base_name(objective)}_resampled"] = value * 1.05
    shared = {
        "round": round_number,
        "reported_ms": events.now_ms(),
        "seconds_training": 3.0 * round_number,
        "seconds_evaluation": 1.0 * round_number,
        "seconds_saving": 0.0,
        "evaluation_share": 0.25,
        "memory_mb": 400.0,
        "device": "cpu",
    }
    if plan.seeds > 1:
        spread = np.linspace(-1, 1, plan.seeds) * 0.02
        per_seed = [{name: v * (1 + at) for name, v in metrics.items()} for at in spread]
        metrics |= {f"{name}_std": float(np.std([s[name] for s in per_seed], ddof=1)) for name in metrics}
        return metrics | shared | {PER_SEED: per_seed}
    return metrics | shared


def _draw(folder: Path, number: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(number).integers(0, 256, (80, 80), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "samples.png")
