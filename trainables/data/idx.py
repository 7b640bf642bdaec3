"""Data sets in MNIST's own file format (IDX): read from a folder, or downloaded into it through torchvision.

torchvision is imported where it is used: that takes seconds, which a trial, opening only the cache, can do
without.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from trainables.data.dataset import Split
from trainables.errors import InputError

# Seconds of silence after which a server counts as unreachable. torchvision sets no limit of its own, so that
# behind a firewall that drops packets a download would hang for minutes.
NETWORK_TIMEOUT = 10.0

Prefixes = tuple[str, str]
MNIST_PREFIXES: Prefixes = ("train", "t10k")


def load_or_download(
    dataset: str,
    folders: Sequence[Path],
    prefixes: Prefixes = MNIST_PREFIXES,
    hint: str = "",
    **options: str,
) -> tuple[Split, Split]:
    """The training and the test split from the first of `folders` that has all four files.

    Where none has, they are downloaded into the last one. `dataset` names a class of `torchvision.datasets`
    and `options` are its arguments. Images are `(N, 1, H, W)`, uint8, labels `(N,)`, int64.

    Raises `InputError` if the download fails; `hint` ends its sentence with other ways to get the data.
    """
    names = _file_names(prefixes)
    found = find_folder(folders, prefixes)
    if found is not None:
        return read_splits(found, prefixes)
    try:
        _download(dataset, folders[-1], names, options)
    except _DownloadError as error:
        looked = ", ".join(map(str, folders))
        raise InputError(
            f"{dataset} is not in {looked}, and its download failed ({error}): "
            f"put {', '.join(names)} (plain or .gz) into {folders[-1]}{hint}."
        ) from error
    return read_splits(folders[-1], prefixes)


def find_folder(folders: Sequence[Path], prefixes: Prefixes = MNIST_PREFIXES) -> Path | None:
    """The first of `folders` that has all four files, plain or `.gz`."""
    names = _file_names(prefixes)
    return next((folder for folder in folders if all(_find(folder, name) for name in names)), None)


def read_splits(folder: Path, prefixes: Prefixes = MNIST_PREFIXES) -> tuple[Split, Split]:
    """The training and the test split from four IDX files in `folder`, plain or `.gz`.

    Images are `(N, 1, H, W)`, uint8, labels `(N,)`, int64. Raises `InputError` if a file is absent or
    damaged.
    """
    train, test = (_read_split(folder, prefix) for prefix in prefixes)
    return train, test


def _read_split(folder: Path, prefix: str) -> Split:
    from torchvision.datasets.mnist import read_image_file, read_label_file

    images_name, labels_name = _file_names([prefix])
    images = _read(folder, images_name, read_image_file)
    labels = _read(folder, labels_name, read_label_file)
    if len(images) != len(labels):
        raise InputError(f"{folder} has {len(images)} images but {len(labels)} labels in {prefix!r}.")
    return Split(images.unsqueeze(1).numpy(), labels.numpy())


def _file_names(prefixes: Sequence[str]) -> list[str]:
    return [f"{prefix}-{kind}-ubyte" for prefix in prefixes for kind in ("images-idx3", "labels-idx1")]


def _find(folder: Path, name: str) -> Path | None:
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _read(folder: Path, name: str, read: Callable[[Path], Tensor]) -> Tensor:
    from torchvision.datasets.utils import extract_archive

    path = _find(folder, name)
    if path is None:
        raise InputError(f"{folder} has neither {name} nor {name}.gz: put the set's four IDX files there.")
    try:
        if path.suffix != ".gz":
            return read(path)
        with tempfile.TemporaryDirectory() as plain:
            extract_archive(path, plain)
            return read(Path(plain, name))
    except Exception as error:  # whatever gzip, zlib and the parser make of arbitrary bytes
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, not the content's
        raise InputError(f"{path} is damaged: replace it, or remove it to have it downloaded.") from error


class _DownloadError(Exception):
    pass


def _download(dataset: str, folder: Path, names: Sequence[str], options: dict[str, str]) -> None:
    """Put the files `names` into `folder`; an interrupted download or unpacking leaves none of them."""
    from torchvision import datasets

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="partial-") as partial:
        try:
            with _network_timeout(NETWORK_TIMEOUT):
                raw_folder = getattr(datasets, dataset)(partial, download=True, **options).raw_folder
        except Exception as error:  # torchvision's own, and what it lets through of urllib, gzip, zipfile
            # torchvision reports every mirror on lines of its own; the last one stands for all.
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
            raise _DownloadError(reason) from error
        for name in names:
            os.replace(Path(raw_folder, name), folder / name)


@contextmanager
def _network_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
