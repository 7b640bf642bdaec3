"""Data sets as memory-mapped files: written once by the driver, shared by all trials of a node.

`<cache_dir>/<name>/` holds `train_images.npy`, `train_labels.npy`, `test_images.npy`, `test_labels.npy` and
`meta.json`; `<cache_dir>/downloads/` keeps what the sources fetched.
"""

from __future__ import annotations

import hashlib
import shutil
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
from filelock import FileLock
from pydantic import BaseModel, ConfigDict

from trainables.data.dataset import Dataset, Split
from trainables.data.sources import SOURCES, Source
from trainables.errors import InputError, lookup

META_FILE = "meta.json"


class Meta(BaseModel):
    """`meta.json`: `sha256` maps the name of each array file to its checksum.

    Raise `format` when the layout changes, or when a source yields other images than before: older caches are
    then rebuilt.
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    num_classes: int | None
    sha256: dict[str, str]


def prepare(name: str, cache_dir: Path) -> Dataset:
    """Load data set `name`, write it to the cache, and open it there. For the driver: this may download.

    A data set already there is only checked against its checksums, and rebuilt with a warning if it is
    damaged. It appears whole or not at all, and several processes may prepare it at once. A complete cache
    may be read-only.

    Raises `InputError` for an unknown name, data that cannot be had, and a folder that cannot be written.
    """
    source = lookup("data set", name, SOURCES)
    folder = cache_dir / name
    if not _is_intact(folder):
        try:
            cache_dir.mkdir(parents=True, exist_ok=True)
            with FileLock(cache_dir / f"{name}.lock"):
                _build(name, source, folder, downloads=cache_dir / "downloads")
        except OSError as error:
            raise InputError(
                f"cannot prepare data set {name!r} in {cache_dir} ({error}): "
                "make room there or choose another cache folder."
            ) from error
    return open_dataset(name, cache_dir)


def is_at_hand(name: str, cache_dir: Path) -> bool:
    """Whether `prepare` would do without a download; raises `InputError` for an unknown name."""
    source = lookup("data set", name, SOURCES)
    return (cache_dir / name / META_FILE).exists() or source.at_hand(cache_dir / "downloads")


def open_dataset(name: str, cache_dir: Path) -> Dataset:
    """Memory-map data set `name`, read-only, from the cache `prepare` wrote. For trials: never downloads.

    Raises `InputError` for an unknown name, and where the data set is absent or visibly damaged; its
    checksums are left to `prepare`.
    """
    lookup("data set", name, SOURCES)
    folder = cache_dir / name
    try:
        meta = _read_meta(folder)
        arrays = {file: np.load(folder / file, mmap_mode="r", allow_pickle=False) for file in meta.sha256}
    except (OSError, EOFError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "damaged"
        raise InputError(
            f"cannot open data set {name!r} in {folder} ({reason}): prepare it on the driver, as "
            "`python -m study.launch` does, in a cache folder that every node sees."
        ) from error
    train, test = (Split(arrays[_images(split)], arrays.get(_labels(split))) for split in ("train", "test"))
    return Dataset(name, train, test, meta.num_classes)


def _build(name: str, source: Source, folder: Path, downloads: Path) -> None:
    if _is_intact(folder):
        return  # another process has prepared it while this one waited for the lock
    if folder.exists():
        warnings.warn(f"{folder} is damaged or of another format: preparing {name!r} again.", stacklevel=3)
    train, test = source.load(downloads)
    partial = folder.with_name(f"{name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # left by a process that was killed
    try:
        _write(partial, train, test, source.num_classes)
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(folder: Path, train: Split, test: Split, num_classes: int | None) -> None:
    folder.mkdir()
    meta = Meta(num_classes=num_classes, sha256={})
    for split_name, split in (("train", train), ("test", test)):
        for file, array in ((_images(split_name), split.images), (_labels(split_name), split.labels)):
            if array is not None:
                np.save(folder / file, array, allow_pickle=False)
                meta.sha256[file] = _sha256(folder / file)
    (folder / META_FILE).write_text(meta.model_dump_json(indent=2))


def _is_intact(folder: Path) -> bool:
    try:
        return all(_sha256(folder / file) == digest for file, digest in _read_meta(folder).sha256.items())
    except (OSError, ValueError):
        return False


def _read_meta(folder: Path) -> Meta:
    return Meta.model_validate_json((folder / META_FILE).read_bytes())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _images(split: str) -> str:
    return f"{split}_images.npy"


def _labels(split: str) -> str:
    return f"{split}_labels.npy"
