"""The first screen: which setting was best, by how much, whether it is real, and what to do next."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from study.loaded import STATES, LoadedStudy, Ranking
from study.reporting.comparison import first_trials, interval_of, lead
from study.reporting.document import Block, Commands, Table, Text
from study.reporting.numbers import better, counted, settings, shown, trial_of, with_deviation
from trainables.files import absolute
from trainables.measures.settings import RESAMPLED
from trainables.protocol import base_name

SHOWN_REFERENCES = 4
WORDS = {"minimize": "lower is better", "maximize": "higher is better"}


def answer(study: LoadedStudy) -> list[Block]:
    """What a stranger wants to know first."""
    blocks: list[Block] = [Text(_asked(study))]
    rankings = study.rankings()
    for ranking in rankings:
        where = f"On {ranking.dataset}: " if len(rankings) > 1 else ""
        blocks.append(Text(where + " ".join(_best(study, ranking))))
    if not rankings:
        blocks.append(Text("No trial has finished, so nothing can be ranked."))
    elif len(rankings) > 1:
        blocks.append(
            Text(
                f"The trials were measured by {len(rankings)} protocols. Numbers of different protocols may not be "
                "compared, so each has its own best trial."
            )
        )
    blocks.append(Text(" ".join(_is_it_real(study, rankings))))
    blocks += [_table(study, ranking, len(rankings) > 1) for ranking in rankings]
    blocks.append(Commands(list(_next(study, bool(rankings)))))
    return blocks


def _asked(study: LoadedStudy) -> str:
    objectives = " and ".join(f"{each.name} ({WORDS[each.direction]})" for each in study.objectives)
    counts = Counter(study.trials()["state"])
    states = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    wanted = study.tag("trials")
    return (
        f"{'All settings of a grid were trained' if study.search.exhaustive else 'This was searched'}: "
        f"{study.search.description}, on {study.tag('dataset')}. The objective is {objectives}. "
        f"Of {wanted} trials: {states or 'none has started'}."
    )


def _best(study: LoadedStudy, ranking: Ranking) -> Iterator[str]:
    objective = study.objectives[0]
    metric = f"metrics.{objective.name}"
    best = ranking.trials.iloc[0]
    number = trial_of(best)
    value = with_deviation(study.seeds_of(number, objective.name))
    yield f"Trial {number} was best: {objective.name} {value}, with {settings(best) or 'the only settings'}."
    yield from _over_draws(study, ranking)
    firsts = first_trials(ranking)
    if pd.notna(best["first_trial"]):
        yield f"These are the settings of the first trial {best['first_trial']!r}."
        others = ranking.trials[ranking.trials["first_trial"].isna()]
        if len(others):
            against = better(float(others.iloc[0][metric]), float(best[metric]), objective.direction)
            yield f"The search found nothing better: the best beside the first trials is {against}."
        elif len(firsts) > 1:
            second = firsts.iloc[1]
            against = better(float(best[metric]), float(second[metric]), objective.direction)
            yield f"That is {against} than the second best, {second['first_trial']!r} ({shown(second[metric])})."
    elif len(firsts):
        first = firsts.iloc[0]
        against = better(float(best[metric]), float(first[metric]), objective.direction)
        yield f"That is {against} than the best first trial, {first['first_trial']!r} ({shown(float(first[metric]))})."
    yield from _against_published(study, best)


def _over_draws(study: LoadedStudy, ranking: Ranking) -> Iterator[str]:
    """Where trials differ in a draw alone, the best of them says little, and the mean over the draws more."""
    objective = study.objectives[0]
    setting_of = {first.name: first.setting or first.name for first in study.search.first_trials}
    of_trials = ranking.trials["first_trial"].map(setting_of)
    values = {name: list(group) for name, group in ranking.trials[f"metrics.{objective.name}"].groupby(of_trials)}
    if len(values.get(of_trials.iloc[0], ())) > 1:
        choose = min if objective.direction == "minimize" else max
        name = choose(values, key=lambda each: float(np.mean(values[each])))
        yield f"It is one of several draws. Over their draws, {name!r} is best: {with_deviation(values[name])}."


def _against_published(study: LoadedStudy, best: pd.Series) -> Iterator[str]:
    objective = study.objectives[0]
    figures = {setting: first.published for setting, (first, *_) in study.search.published.items()}
    same = {setting: values[objective.name] for setting, values in figures.items() if objective.name in values}
    if same:
        name = min(same, key=lambda each: same[each] if objective.direction == "minimize" else -same[each])
        against = better(float(best[f"metrics.{objective.name}"]), same[name], objective.direction)
        differs = ", ".join(study.search.differences)
        caution = f", but it is for other conditions ({differs})" if differs else ""
        yield f"The best published figure is {shown(same[name])} ({name}): ours is {against}{caution}."
    elif figures:
        yield "Nothing was published for this metric; the published figures of other metrics are below."


def _is_it_real(study: LoadedStudy, rankings: list[Ranking]) -> Iterator[str]:
    objective = study.objectives[0]
    for ranking in rankings:
        best = ranking.trials.iloc[0]
        label = f"On {ranking.dataset}: is" if len(rankings) > 1 else "Is"
        yield f"{label} it real?"
        yield _chance(study, ranking)
        resampled = best.get(f"metrics.{base_name(objective.name)}{RESAMPLED}")
        if resampled is not None and pd.notna(resampled):
            yield f"New samples of its weights have {shown(float(resampled))}: they had no part in the choice."
    verdicts = Counter(study.claims()["verdict"])
    if verdicts:
        counts = ", ".join(f"{verdicts[each]} {each}" for each in ("supported", "contradicted", "undecided"))
        yield f"Of {counted(sum(verdicts.values()), 'claim')} of the document: {counts}."
    if study.deleted:
        are = "is missing in MLflow: it was" if study.deleted == 1 else "are missing in MLflow: they were"
        yield f"{counted(study.deleted, 'run')} of {'a trial' if study.deleted == 1 else 'trials'} {are} deleted."


def _chance(study: LoadedStudy, ranking: Ranking) -> str:
    objective = study.objectives[0]
    if len(ranking.trials) < 2:
        return "There is no other finished trial to compare with."
    best = ranking.trials.iloc[0]
    firsts = first_trials(ranking)
    is_found = pd.isna(best["first_trial"]) and len(firsts)
    other = firsts.iloc[0] if is_found else ranking.trials.iloc[1]
    name = f"{'the best first trial' if is_found else 'the second best'} (trial {trial_of(other)})"
    outcome = lead(study, trial_of(best), trial_of(other))
    if not math.isfinite(outcome.interval[0]):
        seeds = len(study.seeds_of(trial_of(best), objective.name))
        trained = "one seed" if seeds == 1 else f"{seeds} seeds"
        return (
            f"Unknown yet: the best of {len(ranking.trials)} was chosen after the fact, and its settings were trained "
            f"with {trained}. Confirm it with new seeds."
        )
    apart = outcome.verdict == "supported"
    rest = "seeds alone do not explain it" if apart else "it includes 0, so the lead may be chance"
    return f"Over the seeds, the lead on {name} has a 95% interval of {interval_of(outcome)}: {rest}."


def _table(study: LoadedStudy, ranking: Ranking, name_dataset: bool) -> Table:
    """The best, the best first trial, the published figure and the reference values of the objective."""
    objective = study.objectives[0]
    firsts = first_trials(ranking)
    chosen = {"best": ranking.trials.iloc[0]}
    if len(ranking.trials) > 1:
        chosen["second best"] = ranking.trials.iloc[1]
    if len(firsts) and trial_of(firsts.iloc[0]) not in map(trial_of, chosen.values()):
        chosen["best first trial"] = firsts.iloc[0]
    rows = [
        [label, with_deviation(study.seeds_of(trial_of(row), objective.name)), _named(row)]
        for label, row in chosen.items()
    ]
    for setting, (first, *_) in study.search.published.items():
        if objective.name in first.published:
            rows.append(["published", shown(first.published[objective.name]), setting])
    prefix = f"{base_name(objective.name)}_"
    known = study.recorded.references
    of_dataset = known[(known["dataset"] == ranking.dataset) & known["name"].str.startswith(prefix)]
    for _, reference in of_dataset[:SHOWN_REFERENCES].iterrows():
        name = reference["name"].removeprefix(prefix).replace("_", " ")
        rows.append([name, shown(float(reference["value"])), "reference value"])
    caption = f"{objective.name} on {ranking.dataset}" if name_dataset else objective.name
    return Table(["", objective.name, "settings"], rows, caption)


def _named(row: pd.Series) -> str:
    name = f"{row['first_trial']}: " if pd.notna(row["first_trial"]) else ""
    return f"trial {trial_of(row)}: {name}{settings(row)}"


def storage_arguments(study: LoadedStudy) -> list[str]:
    """`--storage-dir`, where the study is not in the storage folder that is the default here."""
    folder = Path(study.param("folder", "outputs/studies/?"))
    storage = folder.parent.parent
    return [] if absolute(storage) == absolute(Path("outputs")) else ["--storage-dir", str(storage)]


def _next(study: LoadedStudy, has_best: bool) -> Iterator[tuple[str, str]]:
    launch, storage = "python -m study.launch", storage_arguments(study)
    if has_best:
        yield (
            f"{launch} {shlex.join(['--confirm', study.name, '--top', '3', '--seeds', '5', *storage])}",
            "train the best settings again, with new seeds",
        )
    if not study.search.exhaustive:
        more = str(2 * int(study.tag("trials", "0")))
        yield f"{launch} {shlex.join(['--resume', study.name, '--trials', more, *storage])}", "go on searching"
    elif study.trials()["state"].isin(["unfinished"]).any():
        yield f"{launch} {shlex.join(['--resume', study.name, *storage])}", "go on"
    if has_best:
        sample = ["--from", study.name, "--num", "64", *storage]
        yield f"python -m trainables.sample {shlex.join(sample)}", "draw new samples of the best weights"
