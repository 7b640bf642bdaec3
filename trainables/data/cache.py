"""Data sets as memory-mapped files: written once by the driver, shared by all trials of a node.

`<cache_dir>/<file_name(name)>/` holds `train_examples.npy`, `test_examples.npy` and, where there are labels,
`train_labels.npy`, `test_labels.npy`; `<cache_dir>/downloads/` keeps downloaded files.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from trainables.cache import META_FILE, Key, keep, read_meta
from trainables.data.dataset import Dataset, Split
from trainables.data.sources import Source, file_name, source_of
from trainables.errors import InputError

FORMAT = 2
"""Raise it when the layout changes, or when a source gives other images than before. Older caches are then rebuilt."""


def prepare(name: str, cache_dir: Path) -> Dataset:
    """Load data set `name`, write it to the cache, and open it there. For the driver: this may download.

    A data set that is in the cache is checked against its checksums and its source's fingerprint. It is rebuilt with
    a warning if it is damaged or its files have changed. It appears whole or not at all, and several processes may
    prepare it at once. A complete cache may be read-only.

    Raises `InputError` for an unknown name, data that is absent or not as published, and a folder that cannot be
    written.
    """
    source = source_of(name)
    folder = cache_dir / file_name(name)
    downloads = cache_dir / "downloads"
    try:
        # The fingerprint is taken before the files are read, so a change during the reading is noticed later.
        key = {"format": FORMAT, "fingerprint": source.fingerprint(downloads)}
        before = _key_of(folder)
        again = f"{folder} is damaged or of another format: preparing {name!r} again."
        if key["fingerprint"] is None:
            key["fingerprint"] = before.get("fingerprint")  # files that are gone have not changed
        elif before.get("format") == FORMAT and before != key:
            again = f"the files of {name!r} have changed: preparing it again."
        keep(folder, key, partial(_write, name, source, downloads), again)
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
    """Memory-map data set `name`, read-only, from the cache that `prepare` wrote. For trials: never downloads.

    Raises `InputError` for an unknown name, and if the data set is absent or visibly damaged; only `prepare` compares
    checksums.
    """
    source = source_of(name)
    folder = cache_dir / file_name(name)
    try:
        meta = read_meta(folder)
        if meta.key.get("format") != FORMAT:
            raise ValueError("another format")
        arrays = {file: np.load(folder / file, mmap_mode="r", allow_pickle=False) for file in meta.sha256}
    except (OSError, EOFError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "damaged"
        raise InputError(
            f"cannot open data set {name!r} in {folder} ({reason}): prepare it on the driver, as "
            "`python -m study.launch` does, in a cache folder that every node sees."
        ) from error
    train, test = (Split(arrays[_examples(split)], arrays.get(_labels(split))) for split in ("train", "test"))
    return Dataset(name, train, test, source.num_classes or _num_labels(train, test))


def _key_of(folder: Path) -> Key:
    """The key of the entry in the cache; empty if there is none that can be read."""
    try:
        return read_meta(folder).key
    except (OSError, ValueError):
        return {}


def _write(name: str, source: Source, downloads: Path, folder: Path) -> None:
    train, test = source.load(downloads)
    if not len(train) or not len(test):
        raise InputError(f"data set {name!r} has {len(train)} images to train and {len(test)} to test on: add some.")
    found = _num_labels(train, test)
    if found is not None and source.num_classes is not None and found > source.num_classes:
        raise InputError(
            f"data set {name!r} should have {source.num_classes} classes, but there is a label {found - 1}: "
            "replace its files by the published ones."
        )
    for split_name, split in (("train", train), ("test", test)):
        for file, array in ((_examples(split_name), split.examples), (_labels(split_name), split.labels)):
            if array is not None:
                np.save(folder / file, array, allow_pickle=False)


def _num_labels(train: Split, test: Split) -> int | None:
    """One more than the highest label; None where there are no labels."""
    return max((int(split.labels.max()) + 1 for split in (train, test) if split.labels is not None), default=None)


def _examples(split: str) -> str:
    return f"{split}_examples.npy"


def _labels(split: str) -> str:
    return f"{split}_labels.npy"
