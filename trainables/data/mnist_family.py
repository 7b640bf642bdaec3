"""MNIST and the data sets in its file format, with their official splits."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from trainables.data.dataset import Split
from trainables.data.idx import find_folder, load_or_download, read_splits

# Where torchvision keeps its data sets below the folder it is given.
MNIST_FOLDER = "MNIST/raw"
KMNIST_FOLDER = "KMNIST/raw"
EMNIST_FOLDER = "EMNIST/raw"
EMNIST_PREFIXES = ("emnist-letters-train", "emnist-letters-test")

# Where Debian's package dataset-fashion-mnist installs to, and where its files could be put without Debian.
FASHION_MNIST_FOLDERS = [Path(prefix, "share/datasets/fashion-mnist") for prefix in (sys.prefix, "/usr/local", "/usr")]


def mnist(downloads: Path) -> tuple[Split, Split]:
    """MNIST with its official splits."""
    return load_or_download("MNIST", [downloads / MNIST_FOLDER])


def has_mnist(downloads: Path) -> bool:
    """Whether `mnist` can be loaded without a download."""
    return find_folder([downloads / MNIST_FOLDER]) is not None


def kmnist(downloads: Path) -> tuple[Split, Split]:
    """Kuzushiji-MNIST with its official splits."""
    return load_or_download("KMNIST", [downloads / KMNIST_FOLDER])


def has_kmnist(downloads: Path) -> bool:
    """Whether `kmnist` can be loaded without a download."""
    return find_folder([downloads / KMNIST_FOLDER]) is not None


def fashion_mnist(downloads: Path) -> tuple[Split, Split]:
    """Fashion-MNIST with its official splits.

    If the environment variable `FASHION_MNIST_DIR` names a folder, the files must be there. Otherwise they are looked
    for in `FASHION_MNIST_FOLDERS`, then in the downloads.
    """
    folders = _fashion_mnist_folders(downloads)
    if len(folders) == 1:
        return read_splits(folders[0])
    return load_or_download(
        "FashionMNIST",
        folders,
        hint=", set FASHION_MNIST_DIR to their folder, or install Debian's package dataset-fashion-mnist",
    )


def fashion5k(downloads: Path) -> tuple[Split, Split]:
    """The first 400 training images and the first 100 test images of each class: as many of each as in `mnist5k`."""
    train, test = fashion_mnist(downloads)
    return _first_of_each_class(train, 400), _first_of_each_class(test, 100)


def _first_of_each_class(split: Split, number: int) -> Split:
    assert split.labels is not None
    chosen = np.sort(np.concatenate([np.flatnonzero(split.labels == c)[:number] for c in np.unique(split.labels)]))
    return Split(split.examples[chosen], split.labels[chosen])


def has_fashion_mnist(downloads: Path) -> bool:
    """Whether `fashion_mnist` can be loaded without a download."""
    return find_folder(_fashion_mnist_folders(downloads)) is not None


def _fashion_mnist_folders(downloads: Path) -> list[Path]:
    chosen = os.environ.get("FASHION_MNIST_DIR")
    return [Path(chosen)] if chosen else [*FASHION_MNIST_FOLDERS, downloads / "FashionMNIST/raw"]


def emnist(downloads: Path) -> tuple[Split, Split]:
    """EMNIST's `letters` with its official splits. Upper and lower case share a class: a is 0, z is 25."""
    train, test = load_or_download("EMNIST", [downloads / EMNIST_FOLDER], EMNIST_PREFIXES, split="letters")
    return _upright_letters(train), _upright_letters(test)


def emnist32(downloads: Path) -> tuple[Split, Split]:
    """EMNIST's letters as 32x32 images.

    [Yesilcimen 2022], section 4.2.2, gives the size, but not how the 28x28 images get it. Reading: they are resized by
    bilinear interpolation, not padded.
    """
    from trainables.data.conform import conform  # imports torch, which takes seconds

    train, test = (Split(conform(split.examples, (1, 32, 32)), split.labels) for split in emnist(downloads))
    return train, test


def has_emnist(downloads: Path) -> bool:
    """Whether `emnist` can be loaded without a download."""
    return find_folder([downloads / EMNIST_FOLDER], EMNIST_PREFIXES) is not None


def _upright_letters(split: Split) -> Split:
    """EMNIST's files hold the images transposed, and count the letters from 1."""
    assert split.labels is not None
    return Split(split.examples.swapaxes(-1, -2), split.labels - 1)
