"""The feature extractor of the `_lenet` metrics: a small classifier trained on the data set itself.

The driver trains it once and keeps it in `<cache_dir>/classifiers/<data set>`; trials load it.
Only compare numbers of the same data set and the same weights. Training gives the same weights only on the same kind of
processor. So the weights for some of the data sets that need no download are in `SHIPPED`.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from trainables.cache import find, keep
from trainables.data.dataset import Dataset
from trainables.data.sources import file_name
from trainables.errors import InputError
from trainables.extractors.base import Extracted, images_at_once, in_batches
from trainables.extractors.lenet_training import BATCH_SIZE, RECIPE, train_classifier
from trainables.networks.lenet import LARGEST_PLANE, LeNet

BATCH_ON_CPU = 1000

FILE = "lenet.safetensors"

SHIPPED = Path(__file__).with_name("weights")
"""Entries of the cache, one per data set. They are used if their data and recipe are the current ones."""


@dataclass(frozen=True)
class ClassifierExtractor:
    """A trained `LeNet` in evaluation mode, which gives features and class probabilities of images.

    `sha256` is the checksum of the file of its weights, `test_accuracy` its accuracy on the test images.
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

        Raises `ValueError` for images of another shape, range or dtype.
        """
        if images.shape[1:] != self.shape or not images.is_floating_point():
            raise ValueError(
                f"the classifier takes floating-point images (n, {', '.join(map(str, self.shape))}), "
                f"not {images.dtype} {tuple(images.shape)}."
            )
        return in_batches(self._extract, images, self.device, images_at_once(self.shape, BATCH_ON_CPU))

    @torch.inference_mode()
    def logits(self, features: np.ndarray) -> np.ndarray:
        """The class scores before the softmax, `(n, K)`, float64, of features `(n, F)`."""
        of_device = torch.from_numpy(features).to(self.device, torch.float32)
        return self.network.output(of_device).double().cpu().numpy()

    def output_layer(self) -> tuple[np.ndarray, np.ndarray]:
        """The weight `(K, F)` and the bias `(K,)` of the layer that makes logits of features, float64."""
        layer = self.network.output[-1]
        assert isinstance(layer, nn.Linear)
        return layer.weight.double().cpu().numpy(), layer.bias.double().cpu().numpy()

    def _extract(self, batch: Tensor) -> Extracted:
        features = self.network.features(batch.to(self.device, torch.float32))
        # float64 before the softmax: in float32, the Inception Score would lose probabilities below 1e-45.
        probabilities = self.network.output(features).double().softmax(dim=1)
        return features.double().cpu().numpy(), probabilities.cpu().numpy()


class Header(BaseModel):
    """What the file says about its weights: JSON in the metadata of safetensors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: tuple[int, int, int]
    num_classes: int
    test_accuracy: float


def prepare_classifier(dataset: Dataset, cache_dir: Path, seed: int = 0) -> ClassifierExtractor:
    """The classifier of `dataset`, on the CPU, from the cache, or trained and written there. For the driver.

    A classifier that is shipped needs no training. A cached one that is damaged, or was trained with other data, seed
    or recipe, is replaced with a warning. The entry appears whole or not at all, and several processes may prepare it
    at once. A complete cache may be read-only.

    Raises `InputError` if the data set cannot be classified, and for a folder that cannot be written.
    """
    folder = _folder(dataset.name, cache_dir)
    key = {"recipe": RECIPE, "data_sha256": _data_sha256(dataset), "seed": seed}
    if len(dataset.shape) == 3 and max(dataset.shape[1:]) // 4 > LARGEST_PLANE:
        key["largest_plane"] = LARGEST_PLANE  # before, there was no bound
        key["images_at_once"] = images_at_once(dataset.shape, BATCH_SIZE)  # decides which units are dropped
    shipped = SHIPPED / folder.name

    def make(partial: Path) -> None:
        found = find(shipped)
        if found is not None and found.key == key:
            shutil.copyfile(shipped / FILE, partial / FILE)
        else:
            _write(partial / FILE, dataset, seed)

    try:
        keep(folder, key, make, f"{folder} is damaged or out of date: training the classifier again.")
    except OSError as error:
        raise InputError(
            f"cannot write the classifier {folder} ({error}): make room there or choose another cache folder."
        ) from error
    return load_classifier(dataset.name, cache_dir, "cpu")


def load_classifier(dataset_name: str, cache_dir: Path, device: torch.device | str) -> ClassifierExtractor:
    """The classifier that `prepare_classifier` left in the cache, on `device`. For trials: trains nothing.

    Raises `InputError` if it is absent or damaged.
    """
    folder = _folder(dataset_name, cache_dir)
    found = find(folder)
    if found is None or found.key.get("recipe") != RECIPE:
        reason = "absent" if not folder.exists() else "damaged" if found is None else "of another version"
        raise InputError(
            f"the classifier {folder} is {reason}: prepare it on the driver, as `python -m study.launch` does, "
            "in a cache folder that every node sees."
        )
    network, header = _read(folder / FILE)
    device = torch.device(device)
    network = network.eval().requires_grad_(False).to(device)
    return ClassifierExtractor(network, header.shape, found.sha256[FILE], header.test_accuracy, device)


def _write(path: Path, dataset: Dataset, seed: int) -> None:
    network, test_accuracy = train_classifier(dataset, seed)
    assert dataset.num_classes is not None  # `train_classifier` refuses unlabelled data
    header = Header(shape=dataset.shape, num_classes=dataset.num_classes, test_accuracy=test_accuracy)
    # One entry of metadata: safetensors writes several in a different order each time.
    metadata = {"header": header.model_dump_json()}
    path.write_bytes(safetensors.torch.save(network.half().state_dict(), metadata))


def _read(path: Path) -> tuple[LeNet, Header]:
    with safetensors.safe_open(path, framework="pt") as file:
        header = Header.model_validate_json(file.metadata()["header"])
        weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (not a dict)
    # On "meta": initial weights would be drawn from the global random state, only to be replaced.
    with torch.device("meta"):
        network = LeNet(header.shape, header.num_classes)
    network.load_state_dict(weights, assign=True)
    return network, header


def _folder(dataset_name: str, cache_dir: Path) -> Path:
    return cache_dir / "classifiers" / file_name(dataset_name)


def _data_sha256(dataset: Dataset) -> str:
    """The checksum of all data that the weights and the test accuracy depend on."""
    digest = hashlib.sha256(f"{dataset.num_classes} classes".encode())
    arrays = (dataset.train.examples, dataset.train.labels, dataset.test.examples, dataset.test.labels)
    for array in arrays:
        if array is not None:
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
