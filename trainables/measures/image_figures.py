"""Pictures of a trial, as PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from trainables.data.dataset import Dataset
from trainables.data.tensors import to_tensor, to_uint8
from trainables.measures.nearest import nearest_training_images

ENLARGED_TO = 32
"""Images with fewer pixels a side are enlarged, pixel by pixel, to about this many."""
GAP = 2
"""Pixels between the images of a grid, and around it."""


def save_sample_grid(images: Tensor, path: Path, columns: int = 8) -> None:
    """A grid of images `(n, C, H, W)` in [-1, 1], C = 1 or 3, row by row, on white with `GAP` pixels between them."""
    scale = max(1, ENLARGED_TO // images.shape[-1])
    pixels = to_uint8(images).repeat(scale, axis=2).repeat(scale, axis=3)
    n, channels, height, width = pixels.shape
    columns = min(columns, n)
    rows, step_y, step_x = -(-n // columns), height + GAP, width + GAP
    grid = np.full((rows * step_y + GAP, columns * step_x + GAP, channels), 255, dtype=np.uint8)
    for i, image in enumerate(pixels):
        top, left = i // columns * step_y + GAP, i % columns * step_x + GAP
        grid[top : top + height, left : left + width] = image.transpose(1, 2, 0)
    Image.fromarray(grid.squeeze(2) if channels == 1 else grid).save(path)


def save_nearest(samples: Tensor, dataset: Dataset, path: Path) -> None:
    """Samples, and below each the nearest training image (Euclidean), as in [Yesilcimen 2022], figure 4.18."""
    _, indices = nearest_training_images(samples, dataset.train.examples)
    nearest = to_tensor(dataset.train.examples[indices], samples.device)
    save_sample_grid(torch.cat([samples, nearest]), path, columns=len(samples))


def save_score_histograms(in_scores: np.ndarray, ood_scores: dict[str, np.ndarray], path: Path) -> None:
    """Histograms of the scores of test images and of each out-of-distribution set, as in figures 4.19 to 4.21."""
    from matplotlib.figure import Figure  # imported late: a driver, which draws nothing, starts without it

    figure = Figure(figsize=(6, 3.5))
    axes = figure.add_axes((0.11, 0.15, 0.86, 0.81))  # a layout engine would draw everything twice
    everything = np.concatenate([in_scores, *ood_scores.values()])
    low, high = np.percentile(everything, [0.5, 99.5])
    bins = np.linspace(low, high, 60)
    axes.stairs(*np.histogram(in_scores, bins, density=True), fill=True, alpha=0.6, label="test images")
    for name, scores in ood_scores.items():
        axes.stairs(*np.histogram(scores, bins, density=True), linewidth=1.5, label=name)
    axes.set(xlabel="score D(x)", ylabel="density")
    axes.legend()
    figure.savefig(path, dpi=110)


def save_confusion(predicted: np.ndarray, labels: np.ndarray, path: Path) -> None:
    """How many examples of each class (rows) were taken for each class (columns); both arguments are `(n,)`."""
    from matplotlib.figure import Figure

    classes = int(max(predicted.max(), labels.max())) + 1
    counts = np.zeros((classes, classes), dtype=int)
    np.add.at(counts, (labels, predicted), 1)
    figure = Figure(figsize=(5, 5))
    axes = figure.add_axes((0.11, 0.1, 0.86, 0.86))
    axes.imshow(counts, cmap="Blues")
    for row, column in zip(*np.nonzero(counts), strict=True):
        dark = counts[row, column] > counts.max() / 2
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color="white" if dark else "black")
    axes.set(xlabel="predicted class", ylabel="class", xticks=range(classes), yticks=range(classes))
    figure.savefig(path, dpi=110)
