"""Sets of images to score: a folder of image files, an array, or a folder of arrays."""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from trainables.data.folders import SUFFIXES, list_images
from trainables.data.image_files import read_images
from trainables.errors import InputError

FIRST_ARRAY = "arr_0"
"""How `np.savez` calls an array that was given no name."""


def read_image_set(path: Path) -> np.ndarray:
    """Images `(n, C, H, W)`, C = 1 or 3: uint8, or floats in [-1, 1].

    `path` is a folder of images of one size (its sub-folders are read, too), a `.npy` or `.npz` file, or a folder of
    `.npy` files of one shape. Raises `InputError` if there are no images, and for other shapes, values and files.
    Floats without a negative value are refused, too: nothing tells images in [0, 1] from bright ones in [-1, 1].
    """
    if path.is_dir():
        images = list_images(path)
        arrays = sorted(path.glob("*.npy"))
        if images and arrays:
            raise InputError(f"{path} has images and .npy files: keep one kind only.")
        if images:
            return read_images([images], Path(tempfile.gettempdir()))[0]
        if not arrays:
            raise InputError(f"there are neither images ({', '.join(sorted(SUFFIXES))}) nor .npy files in {path}.")
        return _in_range(_joined([_read_array(array) for array in arrays], path), path)
    if not path.is_file():
        raise InputError(f"there is no file or folder {path}.")
    return _in_range(_read_array(path), path)


def _joined(arrays: list[np.ndarray], path: Path) -> np.ndarray:
    if len({(array.shape[1:], array.dtype) for array in arrays}) > 1:
        raise InputError(f"the .npy files in {path} have different shapes or types: convert them to one.")
    return np.concatenate(arrays)


def _read_array(path: Path) -> np.ndarray:
    try:
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        array = loaded if isinstance(loaded, np.ndarray) else _of_archive(loaded, path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise InputError(f"{path} cannot be read: it is damaged, or not a .npy file of numbers.") from error
    if array.ndim != 4 or array.shape[1] not in (1, 3) or not len(array):
        raise InputError(f"{path} has the shape {array.shape}: images must be (n, 1 or 3, height, width).")
    return array


def _of_archive(archive: Any, path: Path) -> np.ndarray:
    """The images of a `.npz` file: its only array, or `arr_0`, as it is called without a name; also channels last."""
    with archive:
        names = [name for name in archive.files if f"{name}.npy" in archive.zip.namelist()]
        if FIRST_ARRAY in names or len(names) == 1:
            array = archive[FIRST_ARRAY if FIRST_ARRAY in names else names[0]]
            is_last = array.ndim == 4 and array.shape[1] not in (1, 3) and array.shape[3] in (1, 3)
            return array.transpose(0, 3, 1, 2) if is_last else array
        found = f"the arrays {', '.join(names)}" if names else "no arrays"
    raise InputError(
        f"{path} is an archive of {found}: give one with the images alone, or with the images as {FIRST_ARRAY!r}; "
        "statistics and weights cannot be scored."
    )


def _in_range(array: np.ndarray, path: Path) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"{path} has values of type {array.dtype}: give uint8, or floats in [-1, 1].")
    if not np.isfinite(array).all():
        raise InputError(f"{path} has values that are NaN or infinite.")
    low, high = array.min(), array.max()
    if max(-low, high) > 1.0:
        raise InputError(f"{path} has values from {low:.4g} to {high:.4g}: floats must be in [-1, 1].")
    if low >= 0.0:
        raise InputError(
            f"{path} has floats from {low:.4g} to {high:.4g}, none of them negative: floats must be in [-1, 1], so "
            "convert images in [0, 1] by 2 * x - 1, or any to uint8."
        )
    return array
