"""Pictures by matplotlib that fit a light and a dark page: SVG whose ink is the colour of the page's text."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.reporting import document

INK = "#010203"
"""Stands for the colour of the text until the page says what that is."""
ACCENT, OTHER, MUTED = "#2f7ed8", "#e07b39", "#8a8f98"
"""Colours that are seen on white and on black."""
DEFAULTS: dict[Any, Any] = dict(matplotlib.rcParamsDefault)
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "figure.dpi": 100,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Meanwhile, matplotlib draws in the style of the report."""
    with matplotlib.rc_context({**DEFAULTS, **STYLE, "backend": "agg"}):
        yield


def axes(width: float = 7.2, height: float = 3.2) -> tuple[Figure, Axes]:
    """A figure with one pair of axes; call it while `drawing`."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def as_svg(figure: Figure, alt: str, caption: str = "") -> document.Figure:
    """A figure as SVG to stand inside a page; its texts stay texts."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"\n\s*", "\n", svg).replace(INK, "currentColor")
    return document.Figure(svg.encode(), "svg", alt, caption)


def restyled(plot: Any) -> Figure:
    """The figure of a plot by `optuna.visualization.matplotlib`, without the grey of its style."""
    first: Axes = np.ravel(plot)[0]
    figure = first.figure
    assert isinstance(figure, Figure)
    figure.patch.set_alpha(0)
    figure.suptitle("")
    figure.set_layout_engine("tight")
    for each in figure.axes:
        each.patch.set_alpha(0)
        each.grid(False)
        each.set_title("")
        each.tick_params(colors=INK, labelsize=8)
        for text in (each.xaxis.label, each.yaxis.label):
            text.set_color(INK)
            text.set_fontsize(9)
        for spine in each.spines.values():
            spine.set_color(INK)
        for collection in each.collections:
            collection.set_rasterized(True)
    return figure
