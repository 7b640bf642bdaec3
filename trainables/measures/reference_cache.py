"""References on the disk: `<cache_dir>/references/<key>/` holds arrays as `.npy` files."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from trainables.cache import keep
from trainables.data.sources import file_name
from trainables.files import sha256_of_array
from trainables.measures.reference import Reference
from trainables.measures.settings import FeatureSettings
from trainables.metrics.frechet import ReferenceStatistics


class ReferenceKey(BaseModel):
    """All that a reference depends on. Raise `format` when the files, or the computation from features, change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[2] = 2
    dataset: str
    split: str
    count: int
    seed: int
    extractor: str
    extractor_version: str
    extractor_sha256: str
    neighbours: int
    ball_neighbours: int
    images_sha256: str

    @classmethod
    def of(cls, settings: FeatureSettings, dataset: str, images: np.ndarray) -> ReferenceKey:
        """The key of the reference of training `images`, uint8, of a data set with these settings."""
        return cls(
            dataset=dataset,
            split="train",
            count=len(images),
            seed=settings.seed,
            extractor=settings.features,
            extractor_version=settings.extractor_version,
            extractor_sha256=settings.extractor_sha256,
            neighbours=settings.neighbours,
            ball_neighbours=settings.ball_neighbours,
            images_sha256=sha256_of_array(images),
        )

    @property
    def file_name(self) -> str:
        """The name of the folder. The images are not part of it: if they change, the entry is replaced."""
        numbers = (self.count, self.seed, self.neighbours, self.ball_neighbours)
        parts = (file_name(self.dataset), self.split, *numbers, self.extractor, self.extractor_sha256[:12])
        return "-".join(map(str, parts))


def cached_reference(
    key: ReferenceKey, cache_dir: Path, make: Callable[[], Reference], device: torch.device
) -> Reference:
    """The reference of `key` on `device`, from the cache or made by `make` and kept there.

    A reference that is damaged, or was made from other images, is made again, with a warning. It appears whole or not
    at all, and several processes may ask for it at once. If the cache cannot be written, nothing is kept.
    """
    folder = cache_dir / "references" / key.file_name
    made = cache(make)
    again = f"{folder} is damaged or was made from other images: making the reference again."
    try:
        keep(folder, key.model_dump(), lambda partial: _write(partial, made()), again)
        return _read(folder, device)
    except OSError as error:
        warnings.warn(f"the reference cannot be kept in {folder} ({error}).", stacklevel=2)
        return made()


def _write(folder: Path, reference: Reference) -> None:
    statistics = reference.statistics
    arrays = {
        "features": reference.features.cpu().numpy(),
        "radii": reference.radii.cpu().numpy(),
        "ball_radii": reference.ball_radii.cpu().numpy(),
        "mean": statistics.mean,
        "covariance": statistics.covariance,
        "covariance_root": statistics.covariance_root,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def _read(folder: Path, device: torch.device) -> Reference:
    # Memory-mapped: the trials on a node share the pages of the covariance and its root.
    def array(name: str) -> np.ndarray:
        return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)

    def tensor(name: str) -> Tensor:
        return torch.from_numpy(np.array(array(name))).to(device)

    features = tensor("features")
    statistics = ReferenceStatistics(array("mean"), array("covariance"), array("covariance_root"), len(features))
    return Reference(features, statistics, tensor("radii"), tensor("ball_radii"))
