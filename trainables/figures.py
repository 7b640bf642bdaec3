"""Pictures of a trial, as PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torchvision.utils import make_grid, save_image

from trainables.data import Dataset, to_tensor
from trainables.evaluation import Evaluation
from trainables.metrics import nearest_neighbours

ENLARGED_TO = 32
"""Images with fewer pixels a side are enlarged, pixel by pixel, to about this many."""


def draw(evaluation: Evaluation, dataset: Dataset, folder: Path) -> None:
    """Write `samples.png`, `nearest.png` and, where the method scores images, `scores.png` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_sample_grid(evaluation.samples[:64], folder / "samples.png")
    save_nearest(evaluation.samples[:16], dataset, folder / "nearest.png")
    if evaluation.in_scores is not None:
        save_score_histograms(evaluation.in_scores, evaluation.ood_scores, folder / "scores.png")


def save_sample_grid(images: Tensor, path: Path, columns: int = 8) -> None:
    """A grid of images `(n, C, H, W)` in [-1, 1]."""
    repeat = max(1, ENLARGED_TO // images.shape[-1])
    enlarged = images.repeat_interleave(repeat, dim=-1).repeat_interleave(repeat, dim=-2)
    save_image(make_grid(enlarged.cpu(), nrow=columns, value_range=(-1, 1), normalize=True, pad_value=1.0), path)


def save_nearest(samples: Tensor, dataset: Dataset, path: Path) -> None:
    """Samples in the first row, the nearest training image (Euclidean) of each below (thesis of 2022, figure 4.18)."""
    train = to_tensor(dataset.train.images, samples.device)
    _, indices = nearest_neighbours(samples, train)
    nearest = train[torch.as_tensor(indices[:, 0], device=train.device)]
    save_sample_grid(torch.cat([samples, nearest]), path, columns=len(samples))


def save_score_histograms(in_scores: np.ndarray, ood_scores: dict[str, np.ndarray], path: Path) -> None:
    """Histograms of the scores of test images and of each out-of-distribution set (figures 4.19 to 4.21)."""
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    everything = np.concatenate([in_scores, *ood_scores.values()])
    low, high = np.percentile(everything, [0.5, 99.5])
    bins = np.linspace(low, high, 60).tolist()
    axes.hist(in_scores, bins, density=True, alpha=0.6, label="test images")
    for name, scores in ood_scores.items():
        axes.hist(scores, bins, density=True, histtype="step", linewidth=1.5, label=name)
    axes.set(xlabel="score D(x)", ylabel="density")
    axes.legend()
    figure.savefig(path, dpi=110)
