"""The feature extractor of the `_lenet` metrics: a small classifier trained on the data set itself.

The driver trains it once and keeps it as `<cache_dir>/classifiers/<data set>.safetensors`; trials load it.
The numbers it gives compare runs on the same data set with the same weights, and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from filelock import FileLock
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from trainables.data.dataset import Dataset
from trainables.data.sources import file_name
from trainables.errors import InputError
from trainables.extractors.base import Extracted, in_batches
from trainables.extractors.lenet_training import RECIPE, train_classifier
from trainables.networks.lenet import LeNet

BATCH_ON_CPU = 1000


@dataclass(frozen=True)
class ClassifierExtractor:
    """A trained `LeNet` in evaluation mode: images in, features and class probabilities out.

    `sha256` is the checksum of the weights and `test_accuracy` the share of test images classified rightly.
    """

    network: LeNet
    shape: tuple[int, int, int]
    sha256: str
    test_accuracy: float
    device: torch.device
    name: str = "lenet"
    version: str = f"recipe {RECIPE}"

    @property
    def num_features(self) -> int:
        """The length `F` of a feature vector."""
        return self.network.num_features

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Extracted:
        """Features `(n, F)` and class probabilities `(n, K)`, float64, of images `(n, C, H, W)` in [-1, 1].

        Raises `ValueError` for images of another shape or range, or not of floats.
        """
        if images.shape[1:] != self.shape or not images.is_floating_point():
            raise ValueError(
                f"the classifier takes floating-point images (n, {', '.join(map(str, self.shape))}), "
                f"not {images.dtype} {tuple(images.shape)}."
            )
        return in_batches(self._extract, images, self.device, BATCH_ON_CPU)

    def _extract(self, batch: Tensor) -> Extracted:
        features = self.network.features(batch.to(self.device, torch.float32))
        # Before the softmax: in float32, probabilities below 1e-45 would be lost to the inception score.
        probabilities = self.network.output(features).double().softmax(dim=1)
        return features.double().cpu().numpy(), probabilities.cpu().numpy()


class Header(BaseModel):
    """What the file says of its weights, as JSON in the metadata of safetensors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: int
    dataset: str
    data_sha256: str
    shape: tuple[int, int, int]
    num_classes: int
    seed: int
    test_accuracy: float
    weights_sha256: str


class _UnusableError(Exception):
    """A classifier cannot be read; the message completes "it is ..."."""


def prepare_classifier(dataset: Dataset, cache_dir: Path, seed: int = 0) -> ClassifierExtractor:
    """The classifier of `dataset`, on the CPU, from the cache or trained and written there. For the driver.

    A cached one that is damaged, or of other data, seed or recipe, is replaced with a warning. The file
    appears whole or not at all, and several processes may prepare it at once. A complete cache may be
    read-only.

    Raises `InputError` if the data set cannot be classified, and for a folder that cannot be written.
    """
    path = _path(dataset.name, cache_dir)
    data_sha256 = _data_sha256(dataset)
    if not _is_current(path, data_sha256, seed):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_suffix(".lock")):
                # Another process may have prepared it while this one waited for the lock.
                if not _is_current(path, data_sha256, seed):
                    _build(path, dataset, data_sha256, seed)
        except OSError as error:
            raise InputError(
                f"cannot write the classifier {path} ({error}): make room there or choose another cache folder."
            ) from error
    return load_classifier(dataset.name, cache_dir, "cpu")


def load_classifier(dataset_name: str, cache_dir: Path, device: torch.device | str) -> ClassifierExtractor:
    """The classifier that `prepare_classifier` left in the cache, on `device`. For trials: trains nothing.

    Raises `InputError` where it is absent or damaged.
    """
    path = _path(dataset_name, cache_dir)
    try:
        network, header = _read(path)
    except _UnusableError as reason:
        raise InputError(
            f"the classifier {path} is {reason}: prepare it on the driver, as `python -m study.launch` does, "
            "in a cache folder that every node sees."
        ) from reason
    device = torch.device(device)
    network = network.eval().requires_grad_(False).to(device)
    return ClassifierExtractor(network, header.shape, header.weights_sha256, header.test_accuracy, device)


def _build(path: Path, dataset: Dataset, data_sha256: str, seed: int) -> None:
    if path.exists():
        warnings.warn(f"{path} is damaged or out of date: training the classifier again.", stacklevel=3)
    network, test_accuracy = train_classifier(dataset, seed)
    assert dataset.num_classes is not None  # `train_classifier` refuses unlabelled data
    header = Header(
        recipe=RECIPE,
        dataset=dataset.name,
        data_sha256=data_sha256,
        shape=dataset.shape,
        num_classes=dataset.num_classes,
        seed=seed,
        test_accuracy=test_accuracy,
        weights_sha256=_weights_sha256(network),
    )
    partial = path.with_suffix(".partial")
    partial.write_bytes(safetensors.torch.save(network.state_dict(), {"header": header.model_dump_json()}))
    os.replace(partial, path)


def _is_current(path: Path, data_sha256: str, seed: int) -> bool:
    try:
        _, header = _read(path)
    except _UnusableError:
        return False
    return (header.data_sha256, header.seed) == (data_sha256, seed)


def _read(path: Path) -> tuple[LeNet, Header]:
    """Raises `_UnusableError`."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = Header.model_validate_json((file.metadata() or {}).get("header", ""))
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        # Without memory: initial weights would be drawn from the global random state, only to be replaced.
        with torch.device("meta"):
            network = LeNet(header.shape, header.num_classes)
        network.load_state_dict(weights, assign=True)
    except FileNotFoundError as error:
        raise _UnusableError("absent") from error
    except (OSError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
        raise _UnusableError("damaged") from error
    if header.recipe != RECIPE:
        raise _UnusableError("of another version of this program")
    if header.weights_sha256 != _weights_sha256(network):
        raise _UnusableError("damaged")
    return network, header


def _path(dataset_name: str, cache_dir: Path) -> Path:
    return cache_dir / "classifiers" / f"{file_name(dataset_name)}.safetensors"


def _weights_sha256(network: LeNet) -> str:
    """Of the weights alone: the bytes of a file also depend on the order of its metadata."""
    digest = hashlib.sha256()
    for weight in network.state_dict().values():
        digest.update(weight.cpu().numpy().tobytes())
    return digest.hexdigest()


def _data_sha256(dataset: Dataset) -> str:
    """Of everything that training and the test accuracy depend on."""
    digest = hashlib.sha256(f"{dataset.num_classes} classes".encode())
    arrays = (dataset.train.examples, dataset.train.labels, dataset.test.examples, dataset.test.labels)
    for array in arrays:
        if array is not None:
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
