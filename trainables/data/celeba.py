"""CelebA (Liu et al., 2015) at 64x64: the faces of [Halbreich 2023]."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from trainables.data.dataset import Split
from trainables.data.download import DownloadError, download
from trainables.data.image_files import read_images
from trainables.errors import InputError

SHAPE = (3, 64, 64)

ALIGNED = (218, 178)
"""Height and width of the published images."""

CROP = 178
"""The side of the square in the centre that is kept: the whole width. PyTorch's DCGAN example keeps the same: it
resizes the shorter side to 64 and then crops."""

ATTRIBUTE = "Male"
"""The label, 0 or 1. The classifier of the `_lenet` metrics needs classes, and CelebA has none. Of its 40 attributes
this one shows in the whole face and in its outline, and both values are frequent."""

IMAGES = "img_align_celeba"
PARTITION = "list_eval_partition.txt"
ATTRIBUTES = "list_attr_celeba.txt"
NAMES = (IMAGES, PARTITION, ATTRIBUTES)

TRAIN, TEST = "0", "2"
"""The values of the partition; 1, for validation, is left out."""


def celeba64(downloads: Path) -> tuple[Split, Split]:
    """The aligned faces, cropped to their centre and resized, with the official training and test splits.

    They are read from the folder that `CELEBA_DIR` names. Without it they are read from `celeba` in the downloads,
    and downloaded if they are not there. Raises `InputError` if the download fails, and for damaged files.
    """
    folder = _folder(downloads)
    missing = _missing(folder)
    if missing:
        _fetch(folder, missing)
    parts, labels = [], []
    for value in (TRAIN, TEST):
        names, of_part = _of_partition(folder, value)
        parts.append([folder / IMAGES / name for name in names])
        labels.append(of_part)
    train, test = read_images(parts, downloads, _crop_and_resize)
    return Split(train, labels[0]), Split(test, labels[1])


def has_celeba64(downloads: Path) -> bool:
    """Whether `celeba64` can be loaded without a download."""
    return not _missing(_folder(downloads))


def _folder(downloads: Path) -> Path:
    chosen = os.environ.get("CELEBA_DIR")
    return Path(chosen) if chosen else downloads / "celeba"


def _missing(folder: Path) -> list[str]:
    return [name for name in NAMES if not (folder / name).exists()]


def _fetch(folder: Path, missing: list[str]) -> None:
    where = f"put {', '.join(NAMES)} of https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
    if os.environ.get("CELEBA_DIR"):
        raise InputError(f"{folder}, which CELEBA_DIR names, has no {' and no '.join(missing)}: {where} there.")
    try:
        download("CelebA", "celeba", missing, folder)
    except DownloadError as error:
        raise InputError(
            f"CelebA is not in {folder}, and its download failed ({error}): {where} there, or set CELEBA_DIR to "
            "their folder; the download needs a network and the package gdown."
        ) from error


def _of_partition(folder: Path, value: str) -> tuple[list[str], np.ndarray]:
    """The names and the labels of the images in one part of the partition."""
    try:
        wanted = {row[0] for row in _rows(folder / PARTITION) if row[1] == value}
        rows = _rows(folder / ATTRIBUTES)
        next(rows)  # the number of images
        column = 1 + next(rows).index(ATTRIBUTE)
        labels = {row[0]: int(row[column] == "1") for row in rows if row[0] in wanted}
        names = sorted(wanted)
        found = np.array([labels[name] for name in names], np.int64)
    except (ValueError, LookupError, StopIteration) as error:
        raise InputError(f"{PARTITION} or {ATTRIBUTES} in {folder} is damaged: replace them.") from error
    if not names:
        raise InputError(f"{folder / PARTITION} has no image of part {value}: replace it.")
    return names, found


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8") as file:
        yield from (line.split() for line in file if line.strip())


def _crop_and_resize(image: np.ndarray) -> np.ndarray:
    from trainables.data.conform import conform  # imports torch

    height, width = image.shape[2:]
    if (height, width) != ALIGNED:
        raise InputError(
            f"CelebA's aligned images have {ALIGNED[1]}x{ALIGNED[0]} pixels, not {width}x{height}: "
            "use the published files, or 'folder:PATH' for these."
        )
    top = (height - CROP) // 2
    return conform(image[:, :, top : top + CROP], SHAPE)
