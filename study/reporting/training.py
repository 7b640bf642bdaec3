"""What the best trials reported while they trained: the objective, losses, scores, in the same picture each."""

from __future__ import annotations

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.loaded import LoadedStudy, Ranking
from study.reporting import document
from study.reporting.document import Block, Section
from study.reporting.figures import as_svg, drawing
from study.reporting.history import LOG_RATIO
from study.reporting.numbers import counted, shown
from trainables.protocol import base_name

TRIALS_SHOWN = 8
"""The best of a protocol: all of the published variants, or of a small grid."""
PANELS = 8
COLUMNS, WIDTH, HEIGHT = 2, 7.2, 2.3
"""Panels in a row, the picture's width in inches, and the height of a row."""
OF_TRAINING = ("loss_", "score_", "probability_")
"""How the names begin of what a method reports of its rounds and a picture shows."""
SWING, DEVIATION = "_swing", "_std"


def section(study: LoadedStudy) -> Section | None:
    """A picture for each protocol, where a trial was evaluated twice or more."""
    rankings = study.rankings()
    blocks: list[Block] = []
    for ranking in rankings:
        blocks += _picture(study, ranking, len(rankings) > 1)
    return Section("Training", blocks) if blocks else None


def _picture(study: LoadedStudy, ranking: Ranking, name_dataset: bool) -> list[document.Figure]:
    best = ranking.trials[:TRIALS_SHOWN]
    metrics = _metrics(study, best)
    has_seeds = not study.recorded.per_seed.empty
    deviations = [name + DEVIATION for name in metrics] if has_seeds else []
    curves = study.curves([*metrics, *deviations], list(best.index))
    if curves["round"].nunique() < 2:
        return []
    names = {number: str(row["first_trial"]) for number, row in best.iterrows() if pd.notna(row["first_trial"])}
    labels = {number: names.get(number, f"trial {number}") for number in best.index}
    metrics = [metric for metric in metrics if metric in set(curves["metric"])]
    label = f" on {ranking.dataset}" if name_dataset else ""
    objective = base_name(study.objectives[0].name)
    ends = curves[curves["metric"] == objective].groupby("trial", sort=False)["value"].last()
    alt = f"{objective} of {counted(len(best), 'trial')}{label} by round; at the end: " + ", ".join(
        f"{labels[number]} {shown(float(value))}" for number, value in ends.items()
    )
    caption = f"{', '.join(metrics)}{label} by round, of the best {counted(len(best), 'trial')}"
    caption += "; shaded: a standard deviation over the seeds." if has_seeds else "."
    with drawing():
        rows = -(-len(metrics) // COLUMNS)
        figure = Figure(figsize=(WIDTH, HEIGHT * rows + 0.25 * len(best) / COLUMNS), layout="constrained")
        panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for panel, metric in zip(panels, metrics, strict=False):
            _draw(panel, curves, metric, labels)
        for empty in panels[len(metrics) :]:
            empty.axis("off")
        handles, texts = panels[0].get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside lower center", ncols=COLUMNS, fontsize=8)
        return [as_svg(figure, alt, caption)]


def _metrics(study: LoadedStudy, best: pd.DataFrame) -> list[str]:
    """The objective in every evaluation, and what methods report of their rounds."""
    reported = [str(column).removeprefix("metrics.") for column in best.columns if best[column].notna().any()]
    of_training = sorted(
        name for name in reported if name.startswith(OF_TRAINING) and SWING not in name and not name.endswith(DEVIATION)
    )
    return [base_name(study.objectives[0].name), *of_training][:PANELS]


def _draw(panel: Axes, curves: pd.DataFrame, metric: str, labels: dict[int, str]) -> None:
    """A line for each trial."""
    colours = matplotlib.colormaps["tab10"]
    wide = curves[curves["metric"].isin([metric, metric + DEVIATION])].pivot_table(
        index="round", columns=["metric", "trial"], values="value", aggfunc="last"
    )
    for at, (number, label) in enumerate(labels.items()):
        if (metric, number) not in wide:
            panel.plot([], [], color=colours(at), label=label)
            continue
        line = wide[metric, number].dropna()
        panel.plot(line.index, line, color=colours(at), linewidth=1.2, marker=".", markersize=4, label=label)
        if (metric + DEVIATION, number) in wide:
            around = wide[metric + DEVIATION, number].reindex(line.index).fillna(0.0)
            panel.fill_between(line.index, line - around, line + around, color=colours(at), alpha=0.15, linewidth=0)
    values = wide[metric].stack()
    if values.min() > 0 and values.max() > LOG_RATIO * values.min():
        panel.set_yscale("log")
    panel.set_title(metric, fontsize=9)
    panel.tick_params(labelsize=7)
