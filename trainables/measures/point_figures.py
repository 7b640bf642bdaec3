"""Pictures of a training on points: one per evaluation, then all of them side by side and as an animation."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from trainables.files import write_atomically
from trainables.measures.frames import frame_path, frames_called

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRAME = "points"
SHOWN = 2500
"""Most points of each kind in a picture."""
INCHES, DPI = 2.4, 100
PLACE = (0.15, 0.08, 0.82, 0.83)
"""Of the axes in the figure: to find it anew for each picture would take as long as to draw it."""
COLUMNS = 5
MILLISECONDS = 400
"""How long a picture of the animation stays."""

DATA, GENERATED, NOISE = "tab:green", "tab:red", "tab:blue"


@dataclass(frozen=True)
class Scene:
    """What a picture shows, as float32 arrays.

    `probabilities` `(g,)` are D's on the `grid` `(g, d)`, whose last axis varies fastest. `test` and `data` are test
    points `(n, d)`, in `data` as many as in training. `samples` are `(m, d)`; `moved` are points before and after a
    move, `(2, k, d)`.
    """

    grid: np.ndarray
    test: np.ndarray
    data: np.ndarray
    samples: np.ndarray
    probabilities: np.ndarray | None
    moved: np.ndarray | None


def draw_frame(scene: Scene, round_number: int, folder: Path) -> None:
    """Write the frame `points`: the generated points beside the data, and D's probability with its boundary."""
    from matplotlib.figure import Figure  # imported late, as in image_figures.py

    figure = Figure(figsize=(INCHES, INCHES))
    axes = figure.add_axes(PLACE)
    if scene.test.shape[1] == 1:
        _draw_line(axes, scene)
    else:
        _draw_plane(axes, scene)
    axes.set_title(f"round {round_number}", fontsize=8)
    axes.tick_params(labelsize=6)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=DPI, format="png")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(frame_path(folder, FRAME, round_number), picture.getvalue())


def draw_training(frames: Path, folder: Path) -> None:
    """Write `training.png`, all frames in the folder `frames` row by row, and `training.gif`, one after the other."""
    pictures = [Image.open(path).convert("RGB") for path in frames_called(frames, FRAME)]
    width, height = pictures[0].size
    columns = min(COLUMNS, len(pictures))
    sheet = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (i % columns * width, i // columns * height))
    folder.mkdir(parents=True, exist_ok=True)
    sheet.save(folder / "training.png")
    first, *others = pictures
    first.save(folder / "training.gif", save_all=True, append_images=others, duration=MILLISECONDS, loop=0)


def _draw_plane(axes: Axes, scene: Scene) -> None:
    """As in [Yesilcimen 2022], figures 4.1 to 4.6, and [Yamazaki 2017], figure 5.1: where D says real, it is red."""
    xs, ys = (np.unique(scene.grid[:, axis]) for axis in range(2))
    if scene.probabilities is not None:
        heights = scene.probabilities.reshape(len(xs), len(ys)).T
        axes.imshow(
            heights,
            extent=(xs[0], xs[-1], ys[0], ys[-1]),
            origin="lower",
            cmap="RdBu_r",
            vmin=0,
            vmax=1,
            alpha=0.5,
            aspect="auto",
        )
        if heights.min() < 0.5 < heights.max():
            axes.contour(xs, ys, heights, levels=[0.5], colors="black", linewidths=0.6)
    _scatter(axes, scene.data[:SHOWN], 1, DATA)
    if scene.moved is None:
        _scatter(axes, scene.samples[:SHOWN], 1, GENERATED)
    else:
        before, after = scene.moved
        axes.plot(*np.stack([before, after]).transpose(2, 0, 1), color="gray", linewidth=0.3)
        _scatter(axes, before, 5, NOISE)
        _scatter(axes, after, 5, GENERATED)
    axes.set(xlim=(xs[0], xs[-1]), ylim=(ys[0], ys[-1]))


def _scatter(axes: Axes, points: np.ndarray, size: float, colour: str) -> None:
    axes.scatter(points[:, 0], points[:, 1], s=size, c=colour, linewidths=0)


def _draw_line(axes: Axes, scene: Scene) -> None:
    """As in [Tabak 2016], figure 2: both densities, and D's probability, which should be 1/2."""
    grid = scene.grid[:, 0]
    bins = np.linspace(grid[0], grid[-1], 80)
    width = bins[1] - bins[0]
    densities = axes.twinx()
    for points, colour in ((scene.test, DATA), (scene.samples, GENERATED)):
        counts, _ = np.histogram(points[:, 0], bins)
        densities.plot(bins[:-1] + width / 2, counts / (len(points) * width), color=colour, linewidth=0.8)
    densities.set_yticks([])
    if scene.probabilities is not None:
        axes.plot(grid, scene.probabilities, color=NOISE, linewidth=0.8)
    axes.axhline(0.5, color="gray", linewidth=0.4, linestyle="--")
    axes.set(ylim=(0, 1), xlim=(grid[0], grid[-1]))
