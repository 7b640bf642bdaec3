"""CIFAR-10 (Krizhevsky, 2009), through torchvision."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainables.data.dataset import Split
from trainables.data.download import DownloadError, download
from trainables.errors import InputError

CIFAR10_FOLDER = "cifar-10-batches-py"


def cifar10(downloads: Path) -> tuple[Split, Split]:
    """CIFAR-10 with its official splits; the classes are in torchvision's order, from airplane to truck.

    Raises `InputError` if the download fails, and for files that are not the published ones.
    """
    folder = downloads / CIFAR10_FOLDER
    if not folder.is_dir():
        try:
            download("CIFAR10", ".", [CIFAR10_FOLDER], downloads)
        except DownloadError as error:
            raise InputError(
                f"CIFAR10 is not in {folder}, and its download failed ({error}): "
                f"unpack cifar-10-python.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html into {downloads}."
            ) from error
    return _read(downloads, train=True), _read(downloads, train=False)


def has_cifar10(downloads: Path) -> bool:
    """Whether `cifar10` can be loaded without a download."""
    return (downloads / CIFAR10_FOLDER).is_dir()


def _read(downloads: Path, train: bool) -> Split:
    from torchvision.datasets import CIFAR10

    # The files are pickles, which may run any program. Only torchvision opens them, after it has compared their
    # checksums with the published ones.
    try:
        batches = CIFAR10(downloads, train=train)
    except RuntimeError as error:
        folder = downloads / CIFAR10_FOLDER
        raise InputError(f"{folder} is incomplete or damaged: remove it to have it downloaded.") from error
    return Split(np.ascontiguousarray(batches.data.transpose(0, 3, 1, 2)), np.array(batches.targets, np.int64))
