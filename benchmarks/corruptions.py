"""What each metric of images sees: test images of mnist5k, made worse in ways that a generator may be wrong.

The table says where each extractor is blind. docs/metrics.md has its figures.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from scipy import ndimage

from trainables.data.dataset import Dataset
from trainables.data.tensors import to_tensor
from trainables.evaluator import Evaluator
from trainables.measures.base import Metric
from trainables.measures.settings import FidelitySettings, PixelsSettings
from trainables.preparation import prepare_protocol
from trainables.protocol import Protocol

DATASET = "mnist5k"
NUMBER = 500
"""Images of each set: half of the test images, as are those of half of the classes."""

EXTRACTORS = ("lenet", "efficientnet")
FEATURES = ("fid", "precision", "recall", "density", "coverage")
SHOWN = (
    *(f"{metric}_{extractor}" for metric in FEATURES for extractor in EXTRACTORS),
    *("entropy_lenet", "duplicates", "copying"),
)

TWICE = 2.0
"""From here on a metric has seen what is wrong."""
FLOOR = 0.01
"""Added before metrics are divided: a share of 0 is none of so few images."""
FLOOR_OF_TARGETS = 0.1
"""The same for distances to a target: by chance alone, `copying` is up to 0.05 from its own."""

Corruption = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Images `(n, C, H, W)` in [0, 1] to as many worse ones, which are clamped after it."""


def noise(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add normal noise, its deviation 5% of the range from black to white."""
    return images + rng.normal(0, 0.05, images.shape)


def salt_and_pepper(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make 2% of the pixels black or white."""
    chance = rng.random(images.shape)
    return np.where(chance < 0.02, (chance < 0.01).astype(float), images)


def blur(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur by a Gaussian, its deviation a pixel."""
    return ndimage.gaussian_filter(images, (0, 0, 1, 1))


def coarse(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give each square of 2x2 pixels its mean."""
    n, channels, height, width = images.shape
    means = images.reshape(n, channels, height // 2, 2, width // 2, 2).mean(axis=(3, 5))
    return means.repeat(2, axis=2).repeat(2, axis=3)


def gray(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Halve the contrast."""
    return 0.5 * images


def shifted(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move the image by three pixels to the right."""
    return np.roll(images, 3, axis=3)


def mirrored(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Swap left and right."""
    return images[..., ::-1]


def swapped_quadrants(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Swap the quadrants along the diagonals."""
    height, width = images.shape[2:]
    return np.roll(images, (height // 2, width // 2), axis=(2, 3))


def hole(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make a square of a quarter of the sides black, in the middle."""
    worse = images.copy()
    height, width = images.shape[2:]
    worse[:, :, 3 * height // 8 : 5 * height // 8, 3 * width // 8 : 5 * width // 8] = 0
    return worse


def overlaid(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Average each image with another one."""
    return (images + images[rng.permutation(len(images))]) / 2


def half_noise(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Replace half of the images by noise that has the mean and the deviation of each pixel."""
    worse = images.copy()
    half = len(images) // 2
    worse[:half] = rng.normal(images.mean(axis=0), images.std(axis=0), images[:half].shape)
    return worse


def mean_image(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give every image the mean of all."""
    return np.broadcast_to(images.mean(axis=0), images.shape)


def ten_images(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Collapse: there are ten images, repeated."""
    return images[np.arange(len(images)) % 10]


CORRUPTIONS: dict[str, Corruption] = {
    "noise, 5%": noise,
    "salt and pepper, 2%": salt_and_pepper,
    "blur": blur,
    "2x2 pixels": coarse,
    "half the contrast": gray,
    "shifted": shifted,
    "mirrored": mirrored,
    "swapped quadrants": swapped_quadrants,
    "a hole": hole,
    "two images overlaid": overlaid,
    "half are noise": half_noise,
    "mean image": mean_image,
    "ten images": ten_images,
}

CLEAN, CONTROL = "test images", "other test images"


def image_sets(dataset: Dataset, number: int) -> dict[str, np.ndarray]:
    """The clean test images, others, the corrupted ones, and sets that are chosen badly: uint8, by name."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(dataset.test))
    images, labels = dataset.test.examples[order], dataset.test.labels
    assert labels is not None
    clean = images[:number]
    sets = {CLEAN: clean, CONTROL: images[number : 2 * number]}
    for name, corrupt in CORRUPTIONS.items():
        worse = corrupt(clean / 255.0, rng)
        sets[name] = np.round(255 * worse.clip(0, 1)).astype(np.uint8)
    sets["five of ten classes"] = images[labels[order] < 5][:number]
    sets["training images"] = dataset.train.examples[rng.permutation(len(dataset.train))[:number]]
    return sets


def measure(cache_dir: Path, number: int) -> tuple[Mapping[str, Metric], dict[str, dict[str, float]]]:
    """What is reported, and the metrics of each set of `number` images."""
    measures = (
        FidelitySettings(num_samples=number),
        FidelitySettings(num_samples=number, features="efficientnet", beside_another=True),
        PixelsSettings(num_samples=number),
    )
    protocol = prepare_protocol(Protocol(dataset=DATASET, measures=measures), cache_dir).protocol
    evaluator = Evaluator(protocol, cache_dir, torch.device("cpu"))
    found: dict[str, dict[str, float]] = {}
    for name, images in image_sets(evaluator.dataset, number).items():
        tensors = to_tensor(images)
        found[name] = {k: v for m in evaluator.measures for k, v in m.image_metrics(tensors).items()}
    return protocol.metrics(), found


def worsening(metric: Metric, value: float, clean: float) -> float:
    """How many times worse a metric is than that of clean images."""
    if metric.target is not None:
        return (metric.loss(value) + FLOOR_OF_TARGETS) / (metric.loss(clean) + FLOOR_OF_TARGETS)
    ratio = (value + FLOOR) / (clean + FLOOR)
    return ratio if metric.direction == "minimize" else 1 / ratio


def seen_by(metrics: Mapping[str, Metric], value: Mapping[str, float], clean: Mapping[str, float]) -> set[str]:
    """The metrics that are at least twice as bad as those of clean images."""
    return {name for name in SHOWN if worsening(metrics[name], value[name], clean[name]) >= TWICE}


def main() -> None:
    """Print the metrics of each set, those that are at least twice as bad as for the test images marked."""
    with tempfile.TemporaryDirectory() as folder:
        metrics, found = measure(Path(folder), NUMBER)
    table = Table(title=f"{NUMBER} images of {DATASET} each; * at least twice as bad", box=SIMPLE)
    table.add_column("images", no_wrap=True)
    for name in SHOWN:
        table.add_column(name.replace("_", "\n").replace("efficientnet", "effic."), justify="right", no_wrap=True)
    for images, of_images in found.items():
        seen = seen_by(metrics, of_images, found[CLEAN])
        values = (f"{of_images[n]:.{0 if n.startswith('fid') else 2}f}{'*' if n in seen else ' '}" for n in SHOWN)
        table.add_row(images, *values)
    Console(width=160).print(table)
