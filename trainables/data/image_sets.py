"""Sets of images to score: a folder of image files, an array, or a folder of arrays."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from trainables.data.folders import SUFFIXES, list_images
from trainables.data.image_files import read_images
from trainables.errors import InputError


def read_image_set(path: Path) -> np.ndarray:
    """Images `(n, C, H, W)`, C = 1 or 3: uint8, or floats in [-1, 1].

    `path` is a folder of images of one size (its sub-folders are read, too), a `.npy` file, or a folder of `.npy`
    files of one shape. Raises `InputError` if there are no images, and for other shapes, values and files.
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
        return _joined([_read_array(array) for array in arrays], path)
    if not path.is_file():
        raise InputError(f"there is no file or folder {path}.")
    return _read_array(path)


def _joined(arrays: list[np.ndarray], path: Path) -> np.ndarray:
    if len({(array.shape[1:], array.dtype) for array in arrays}) > 1:
        raise InputError(f"the .npy files in {path} have different shapes or types: convert them to one.")
    return np.concatenate(arrays)


def _read_array(path: Path) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} cannot be read: it is damaged, or not a .npy file of numbers.") from error
    if array.ndim != 4 or array.shape[1] not in (1, 3) or not len(array):
        raise InputError(f"{path} has the shape {array.shape}: images must be (n, 1 or 3, height, width).")
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"{path} has values of type {array.dtype}: give uint8, or floats in [-1, 1].")
    if not np.isfinite(array).all():
        raise InputError(f"{path} has values that are NaN or infinite.")
    if np.abs(array).max() > 1.0:
        raise InputError(f"{path} has values from {array.min():.4g} to {array.max():.4g}: floats must be in [-1, 1].")
    return array
