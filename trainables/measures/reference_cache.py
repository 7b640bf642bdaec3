"""References on the disk: `<cache_dir>/references/<key>/` holds arrays as `.npy` files and `meta.json`."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from filelock import FileLock
from pydantic import BaseModel, ConfigDict

from trainables.data.sources import file_name
from trainables.measures.reference import Reference
from trainables.measures.settings import FidelitySettings
from trainables.metrics.frechet import ReferenceStatistics

META_FILE = "meta.json"


class ReferenceKey(BaseModel):
    """What a reference follows from. Raise `format` when the files, or what is derived from features, change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    dataset: str
    split: str
    count: int
    seed: int
    extractor: str
    extractor_sha256: str
    neighbours: int
    images_sha256: str

    @classmethod
    def of(cls, settings: FidelitySettings, dataset: str, images: np.ndarray) -> ReferenceKey:
        """The key of the reference that `settings` make of the real `images` of a data set, uint8."""
        return cls(
            dataset=dataset,
            split=settings.reference_split,
            count=len(images),
            seed=settings.seed,
            extractor=settings.features,
            extractor_sha256=settings.extractor_sha256,
            neighbours=settings.neighbours,
            images_sha256=hashlib.sha256(np.ascontiguousarray(images).data).hexdigest(),
        )

    @property
    def file_name(self) -> str:
        """The folder's name. It does not say which images: those that have changed replace the old ones."""
        parts = (file_name(self.dataset), self.split, self.count, self.seed, self.neighbours)
        return "-".join(map(str, (*parts, self.extractor, self.extractor_sha256[:12])))


class Meta(BaseModel):
    """`meta.json`: `sha256` maps the name of each array file to its checksum."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: ReferenceKey
    sha256: dict[str, str]


def cached_reference(
    key: ReferenceKey, cache_dir: Path, make: Callable[[], Reference], device: torch.device
) -> Reference:
    """The reference of `key` from the cache, on `device`, or what `make` returns, which is kept there.

    One that is damaged or of other images is made again, with a warning. It appears whole or not at all, and several
    processes may ask for it at once. Where the cache cannot be written, nothing is kept.
    """
    folder = cache_dir / "references" / key.file_name
    found = _read(folder, key, device)
    if found is not None:
        return found
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            # Another process may have made it while this one waited for the lock.
            found = _read(folder, key, device)
            if found is not None:
                return found
            if folder.exists():
                warnings.warn(f"{folder} is damaged or of other images: making the reference again.", stacklevel=2)
            reference = make()
            _write(folder, key, reference)
            return reference
    except OSError as error:
        warnings.warn(f"the reference cannot be kept in {folder} ({error}).", stacklevel=2)
        return make()


def _write(folder: Path, key: ReferenceKey, reference: Reference) -> None:
    statistics = reference.statistics
    arrays = {
        "features": reference.features.cpu().numpy(),
        "radii": reference.radii.cpu().numpy(),
        "mean": statistics.mean,
        "covariance": statistics.covariance,
        "covariance_root": statistics.covariance_root,
    }
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="partial-") as name:
        partial = Path(name, folder.name)
        partial.mkdir()
        for array_name, array in arrays.items():
            np.save(partial / f"{array_name}.npy", array, allow_pickle=False)
        sha256 = {f"{array_name}.npy": _sha256(partial / f"{array_name}.npy") for array_name in arrays}
        (partial / META_FILE).write_text(Meta(key=key, sha256=sha256).model_dump_json(indent=2))
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)


def _read(folder: Path, key: ReferenceKey, device: torch.device) -> Reference | None:
    """None where it is absent, damaged, or another one."""
    try:
        meta = Meta.model_validate_json((folder / META_FILE).read_bytes())
        if meta.key != key or any(_sha256(folder / file) != sha256 for file, sha256 in meta.sha256.items()):
            return None
        # Memory-mapped: the trials on a node share the pages of the covariance and its root.
        arrays = {Path(file).stem: np.load(folder / file, mmap_mode="r", allow_pickle=False) for file in meta.sha256}
    except (OSError, ValueError):
        return None
    features, radii = (torch.from_numpy(np.array(arrays[name])).to(device) for name in ("features", "radii"))
    mean, covariance, root = (arrays[name] for name in ("mean", "covariance", "covariance_root"))
    return Reference(features, ReferenceStatistics(mean, covariance, root, len(features)), radii)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
