"""The tables of a study: its best trials, and what they say about claims."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import rich.box
from optuna.trial import FixedTrial, FrozenTrial
from rich.table import Table

from search_spaces.space import FirstTrial
from study.optuna_storage import FIRST_TRIAL, INHERITED, METRICS
from study.plan import StudyPlan
from study.trial_specs import spoken_settings
from study.verdicts import Judged
from trainables.measures.settings import RESAMPLED
from trainables.methods.base import method_class
from trainables.preparation import Preparation
from trainables.protocol import AT_BEST, BEST, Protocol, base_name
from trainables.training import PARAMETERS, SECONDS_CPU

CLAIMS_TITLE = "the document's claims, by the last metrics of each trial's seeds (the rule: study/claims.py)"

SOURCE_WIDTH = 12
"""Letters in a line of a claim's source."""
HEADER_WIDTH = 10
"""Letters in a line of a column's name, if no part between two underscores is longer."""


def shown_metrics(protocol: Protocol) -> set[str]:
    """The metrics that the measures show."""
    return {name for name, metric in protocol.metrics().items() if metric.shown}


def references_of(preparation: Preparation, metrics: Collection[str]) -> dict[str, float]:
    """The reference values of some metrics: `fid_lenet_noise` is one of `fid_lenet`."""
    measured = sorted(preparation.protocol.metrics(), key=len, reverse=True)

    def of(reference: str) -> str | None:
        return next((metric for metric in measured if reference.startswith(f"{metric}_")), None)

    return {name: value for name, value in preparation.references.items() if of(name) in metrics}


def columns_of(plan: StudyPlan, trials: Sequence[FrozenTrial]) -> list[str]:
    """The metrics of the table at the end: the objectives, the same of new samples, what measures show, costs.

    All are of one set of weights, the best by the first objective.
    """
    protocols = plan.protocols.values()
    objectives = [base_name(objective) for objective in plan.objectives]
    shown = dict.fromkeys(name for p in protocols for name in p.metrics() if name in shown_metrics(p))
    ending = AT_BEST if plan.objectives[0].endswith(BEST) else ""
    others = [name + ending for name in shown if name not in objectives]
    metrics = [trial.user_attrs.get(METRICS, {}) for trial in trials]
    resampled = [name + RESAMPLED for name in objectives]
    progress = dict.fromkeys(n for name in plan.space.method_names for n in method_class(name).progress_metrics)
    costs = [*progress, SECONDS_CPU, PARAMETERS]
    differing = [name for name in costs if len({found.get(name) for found in metrics}) > 1]
    measured = {name for found in metrics for name in found}
    return [*plan.objectives, *(name for name in [*resampled, *others, *differing] if name in measured)]


def reference_rows(columns: Sequence[str], references: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Reference values of the metrics in columns, by what they are of: `test images`, `noise`, a detector."""
    rows: dict[str, dict[str, float]] = {}
    for column in columns:
        prefix = f"{base_name(column)}_"
        for name, value in references.items():
            if name.startswith(prefix):
                rows.setdefault(name.removeprefix(prefix).replace("_", " "), {})[column] = value
    return rows


def results_table(
    plan: StudyPlan, title: str, trials: Sequence[FrozenTrial], references: Mapping[str, float] | None = None
) -> Table:
    """A row per trial: its objectives, its name, its other metrics; then the reference values."""
    objectives, others = plan.objectives, columns_of(plan, trials)[len(plan.objectives) :]
    table = Table(title=title, box=rich.box.SIMPLE, title_justify="left")
    table.add_column("trial", justify="right", no_wrap=True)
    for name in objectives:
        table.add_column(_over_lines(name), justify="right", no_wrap=True)
    table.add_column("first trial,\n or reference")
    for name in others:
        table.add_column(_over_lines(name), justify="right", no_wrap=True)
    for trial in trials:
        found = trial.user_attrs.get(METRICS, {})
        name = trial.user_attrs.get(FIRST_TRIAL, "")
        table.add_row(_called(trial), *_values(found, objectives), name, *_values(found, others))
    table.add_section()
    for name, found in reference_rows([*objectives, *others], references or {}).items():
        table.add_row("", *_values(found, objectives), name, *_values(found, others))
    return table


def _values(found: Mapping[str, float], names: Sequence[str]) -> list[str]:
    return [f"{found[name]:.4g}" if name in found else "-" for name in names]


def published_table(plan: StudyPlan, trials: Sequence[FrozenTrial]) -> Table:
    """A row per trial whose settings were published: the published values, and the trial's own."""
    firsts = {first.name: first for first in plan.space.first_trials()}
    table = _per_trial("published for the settings, and here")
    for trial in trials:
        first = firsts.get(trial.user_attrs.get(FIRST_TRIAL, ""))
        if first is not None and first.published:
            table.add_row(_called(trial), _published(first, trial))
    return table


def _over_lines(name: str) -> str:
    """The name of a metric in lines of about ten letters, so that columns of numbers are narrow."""
    lines = [""]
    for part in re.findall("_*[^_]+", name):
        if lines[-1] and len(lines[-1] + part) > HEADER_WIDTH:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def settings_table(plan: StudyPlan, trials: Sequence[FrozenTrial]) -> Table:
    """A row per trial: what was suggested and differs; below, what is the same in all."""
    settings = [_settings(plan, trial) for trial in trials]
    same = [each for each in settings[0] if all(each in others for others in settings)] if len(trials) > 1 else []
    table = _per_trial("settings")
    for trial, suggested in zip(trials, settings, strict=True):
        table.add_row(_called(trial), ", ".join(each for each in suggested if each not in same))
    if same:
        table.add_row("all", ", ".join(same))
    return table


def _per_trial(what: str) -> Table:
    table = Table(box=rich.box.SIMPLE)
    table.add_column("trial", justify="right", no_wrap=True)
    table.add_column(what)
    return table


def _called(trial: FrozenTrial) -> str:
    """The number of a trial, with its study if that is another one."""
    return str(trial.user_attrs.get(INHERITED, trial.number))


def _published(first: FirstTrial, trial: FrozenTrial) -> str:
    metrics = trial.user_attrs.get(METRICS, {})

    def ours(metric: str) -> str:
        return f" (here {metrics[metric]:.4g})" if metric in metrics else ""

    return ", ".join(f"{base_name(metric)} {value:.4g}{ours(metric)}" for metric, value in first.published.items())


def _settings(plan: StudyPlan, trial: FrozenTrial) -> list[str]:
    """What was suggested, as a person reads it: "image_lr 0.01", "lambda_tv off"."""
    suggestion = plan.space.suggest(FixedTrial(trial.params, trial.number))
    named = {name: value for name in ("method", "dataset") if (value := getattr(suggestion, name)) is not None}
    settings = {**named, **suggestion.config}
    return [spoken_settings({name: value}, trial.params) for name, value in settings.items()]


def claims_table(judged: Sequence[Judged]) -> Table:
    """A row per claim: where it stands, both groups, the difference, both verdicts, what would decide it."""
    table = Table(title=CLAIMS_TITLE, box=rich.box.SIMPLE, title_justify="left")
    whole = ("verdict", "by Holm", "lower", "higher", "metric")
    for name in ("claim", "verdict", "by Holm", "difference, 95%", "lower", "higher", "to decide", "metric"):
        table.add_column(name, no_wrap=name in whole)
    table.add_column("source", min_width=SOURCE_WIDTH)
    for each in judged:
        outcome, (low, high) = each.outcome, each.outcome.interval
        difference = f"{'ratio ' * (outcome.claim.compared_by == 'ratio')}{outcome.difference:.3g}"
        chance = f"P(higher > lower) = {outcome.probability_higher:.2f}"
        table.add_row(
            outcome.claim.text + " (after the fact)" * each.after_the_fact,
            outcome.verdict,
            each.corrected,
            "\n".join([f"{difference} ({low:.3g} to {high:.3g})", *filter(None, [each.effect, chance])]),
            _mean(outcome.lower),
            _mean(outcome.higher),
            each.what_decides,
            outcome.claim.reported_as,
            outcome.claim.source,
        )
    return table


def _mean(values: Sequence[float]) -> str:
    if not values:
        return "-"
    mean = f"{sum(values) / len(values):.4g}"
    return mean if len(values) == 1 else f"{mean} (n={len(values)})"
