"""Data sets in MNIST's own file format (IDX): read from a folder, or downloaded into it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.data.dataset import Split
from trainables.data.download import DownloadError, download
from trainables.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

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

    If none has, they are downloaded into the last one. `dataset` names a class of `torchvision.datasets`, and
    `options` are its arguments. Images are `(N, 1, H, W)`, uint8, labels `(N,)`, int64.

    Raises `InputError` if the download fails; `hint` ends its sentence with other ways to get the data.
    """
    names = _file_names(prefixes)
    found = find_folder(folders, prefixes)
    if found is not None:
        return read_splits(found, prefixes)
    try:
        download(dataset, f"{dataset}/raw", names, folders[-1], **options)
    except DownloadError as error:
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
    except Exception as error:  # gzip, zlib and the parser may raise anything when they read arbitrary bytes
        if isinstance(error, OSError) and error.errno is not None:
            raise  # an error of the disk, not of the content
        raise InputError(f"{path} is damaged: replace it, or remove it to have it downloaded.") from error
