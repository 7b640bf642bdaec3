"""Data sets as memory-mapped files: written once by the driver, shared by all trials of a node.

`<cache_dir>/<file_name(name)>/` holds `train_images.npy`, `train_labels.npy`, `test_images.npy`, `test_labels.npy`
and `meta.json`; `<cache_dir>/downloads/` keeps what the sources fetched.
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
from trainables.data.sources import Source, file_name, source_of
from trainables.errors import InputError

META_FILE = "meta.json"


class Meta(BaseModel):
    """`meta.json`: `sha256` maps the name of each array file to its checksum, `fingerprint` is the source's.

    Raise `format` when the layout changes, or when a source yields other images than before: older caches are
    then rebuilt.
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    num_classes: int | None
    fingerprint: str | None = None
    sha256: dict[str, str]


def prepare(name: str, cache_dir: Path) -> Dataset:
    """Load data set `name`, write it to the cache, and open it there. For the driver: this may download.

    A data set already there is only checked against its checksums and its source's fingerprint, and rebuilt
    with a warning if it is damaged or its files have changed. It appears whole or not at all, and several
    processes may prepare it at once. A complete cache may be read-only.

    Raises `InputError` for an unknown name, data that cannot be had or is not what it should be, and a folder
    that cannot be written.
    """
    source = source_of(name)
    folder = cache_dir / file_name(name)
    downloads = cache_dir / "downloads"
    try:
        if not _is_current(folder, source.fingerprint(downloads)):
            cache_dir.mkdir(parents=True, exist_ok=True)
            with FileLock(folder.with_name(f"{folder.name}.lock")):
                _build(name, source, folder, downloads)
    except OSError as error:
        raise InputError(
            f"cannot prepare data set {name!r} in {cache_dir} ({error}): "
            "make room there or choose another cache folder."
        ) from error
    return open_dataset(name, cache_dir)


def is_at_hand(name: str, cache_dir: Path) -> bool:
    """Whether `prepare` would do without a download; raises `InputError` for an unknown name."""
    source = source_of(name)
    return (cache_dir / file_name(name) / META_FILE).exists() or source.at_hand(cache_dir / "downloads")


def open_dataset(name: str, cache_dir: Path) -> Dataset:
    """Memory-map data set `name`, read-only, from the cache `prepare` wrote. For trials: never downloads.

    Raises `InputError` for an unknown name, and where the data set is absent or visibly damaged; its
    checksums are left to `prepare`.
    """
    source_of(name)
    folder = cache_dir / file_name(name)
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
    fingerprint = source.fingerprint(downloads)  # before the files are read: a change while they are is noticed later
    if _is_current(folder, fingerprint):
        return  # another process has prepared it while this one waited for the lock
    if _is_current(folder, None):
        warnings.warn(f"the files of {name!r} have changed: preparing it again.", stacklevel=3)
    elif folder.exists():
        warnings.warn(f"{folder} is damaged or of another format: preparing {name!r} again.", stacklevel=3)
    train, test = source.load(downloads)
    if not len(train) or not len(test):
        raise InputError(f"data set {name!r} has {len(train)} images to train and {len(test)} to test on: add some.")
    num_classes = _num_classes(name, source, train, test)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # left by a process that was killed
    try:
        _write(partial, train, test, Meta(num_classes=num_classes, fingerprint=fingerprint, sha256={}))
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _num_classes(name: str, source: Source, train: Split, test: Split) -> int | None:
    """As the source declares, or as the labels have it where it does not; raises `InputError` if they disagree."""
    found = max((int(split.labels.max()) + 1 for split in (train, test) if split.labels is not None), default=None)
    if found is not None and source.num_classes is not None and found > source.num_classes:
        raise InputError(
            f"data set {name!r} should have {source.num_classes} classes, but there is a label {found - 1}: "
            "replace its files by the published ones."
        )
    return source.num_classes or found


def _write(folder: Path, train: Split, test: Split, meta: Meta) -> None:
    """Write the arrays, then `meta` with their checksums."""
    folder.mkdir()
    for split_name, split in (("train", train), ("test", test)):
        for file, array in ((_images(split_name), split.examples), (_labels(split_name), split.labels)):
            if array is not None:
                np.save(folder / file, array, allow_pickle=False)
                meta.sha256[file] = _sha256(folder / file)
    (folder / META_FILE).write_text(meta.model_dump_json(indent=2))


def _is_current(folder: Path, fingerprint: str | None) -> bool:
    """Whether the cache is intact and, unless `fingerprint` is None, made of the files that have it."""
    try:
        meta = _read_meta(folder)
        if fingerprint not in (None, meta.fingerprint):
            return False
        return all(_sha256(folder / file) == digest for file, digest in meta.sha256.items())
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
