"""A trained method in one file: the weights of its networks, and what is needed to build the method again."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from trainables.data.cache import prepare
from trainables.data.dataset import Dataset, Split
from trainables.data.sources import source_of
from trainables.errors import InputError, lookup
from trainables.files import write_atomically
from trainables.measures.base import Direction
from trainables.methods.base import Method, method_class

BEST_FILE = "best.safetensors"
"""The weights of a trial's best evaluation, in the trial's folder."""

STATISTICS = "statistics."
"""Begins the names of tensors that belong to no network."""

STAND_IN_LENGTH = 100

HEADER_KEY = "generative_study"
"""The entry of the file's metadata that holds the header, as JSON."""


class ExportHeader(BaseModel):
    """What the file says about its weights. Raise `format` when older files can no longer be read.

    `metrics` were measured with the weights, which were kept because they are the best by `objective`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    format: Literal[2] = 2
    method: str
    config: dict[str, Any]
    dataset: str
    round: int = Field(ge=0)
    metrics: dict[str, float]
    objective: str
    direction: Direction
    weights_sha256: str
    shape: tuple[int, ...] | None = None
    """Of one image or point; without it (in older files) the data set is needed."""
    num_classes: int | None = None

    @property
    def loss(self) -> float:
        """The value of the objective, with its sign turned where more is better."""
        value = self.metrics.get(self.objective, math.nan)
        return math.inf if math.isnan(value) else value if self.direction == "minimize" else -value


def export(
    method_name: str,
    config: Mapping[str, Any],
    dataset_name: str,
    method: Method,
    path: Path,
    round_number: int,
    metrics: Mapping[str, float],
    objective: str,
    direction: Direction,
) -> None:
    """Write the networks of `method` to `path`, a safetensors file, whole or not at all.

    A weight is named `<network>.<parameter>`, another tensor `statistics.<name>`; `config` is the method's, JSON;
    `metrics` were measured with these weights, after `round_number` rounds; `objective`, one of them, is why they are
    kept.
    """
    weights = {
        f"{network}.{parameter}": value.detach().to("cpu", copy=True).contiguous()
        for network, module in method.networks().items()
        for parameter, value in module.state_dict().items()
    }
    weights |= {
        f"{STATISTICS}{name}": getattr(method, name).to("cpu", copy=True).contiguous() for name in method.exported
    }
    header = ExportHeader(
        method=method_name,
        config=dict(config),
        dataset=dataset_name,
        round=round_number,
        metrics=dict(metrics),
        objective=objective,
        direction=direction,
        weights_sha256=_sha256(weights),
        shape=method.dataset.shape,
        num_classes=method.dataset.num_classes,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save(weights, {HEADER_KEY: header.model_dump_json()}))


def read_header(path: Path) -> ExportHeader:
    """The header of the exported file `path`; raises `InputError` if it is missing, damaged or another kind of file."""
    with _opened(path) as (header, _):
        return header


def find_export(source: Path, storage_dir: Path) -> Path:
    """The exported file that `source` means: itself, that of a trial, or the best of a study's trials.

    The best is the best by the objective in its header. A `source` that is not a path is the name of a study in
    `storage_dir`. Raises `InputError` if there is none.
    """
    if source.is_file():
        return source
    folder = source if source.is_dir() else _study_folder(source, storage_dir)
    if (folder / BEST_FILE).is_file():
        return folder / BEST_FILE
    exported = sorted(folder.glob(f"trials/*/{BEST_FILE}"))
    if not exported:
        raise InputError(f"nothing has been exported in {folder}: no trial has been evaluated there yet.")
    return min(exported, key=lambda path: read_header(path).loss)


def _study_folder(name: Path, storage_dir: Path) -> Path:
    studies = {folder.name: folder for folder in (storage_dir / "studies").glob("*/")}
    if not studies:
        raise InputError(f"there is no file or folder {name}, and no study in {storage_dir}: check --storage-dir.")
    return lookup("file, folder or study", str(name), studies)


def load_export(path: Path, cache_dir: Path, device: torch.device) -> Method:
    """Build the method that was exported to `path`, ready to sample and score; training starts anew.

    Its data set is prepared in `cache_dir` only if the method needs it for that. Raises `InputError` if the file is
    missing, damaged or something else, if its method or data set is unknown, and if the data cannot be had.
    """
    header = read_header(path)
    if method_class(header.method).needs_data or header.shape is None:
        return build(path, prepare(header.dataset, cache_dir), device)
    if ":" not in header.dataset:  # others are folders and modules, which may be on another machine
        source_of(header.dataset)
    return build(path, _stand_in(header.dataset, header.shape, header.num_classes), device)


def _stand_in(name: str, shape: tuple[int, ...], num_classes: int | None) -> Dataset:
    """A data set of the right shape with nothing in it, for a method that does not read it."""
    examples = np.broadcast_to(np.zeros((), np.uint8 if len(shape) == 3 else np.float32), (STAND_IN_LENGTH, *shape))
    labels = None if num_classes is None else np.zeros(STAND_IN_LENGTH, np.int64)
    split = Split(examples, labels)
    return Dataset(name, split, split, num_classes)


def build(path: Path, dataset: Dataset, device: torch.device) -> Method:
    """As `load_export`, with a data set that is already open."""
    with _opened(path) as (header, file):
        names = file.keys()
        weights = {name: file.get_tensor(name) for name in names}
    method_type = method_class(header.method)
    if _sha256(weights) != header.weights_sha256:
        raise InputError(f"{path} is damaged: the checksum of its weights does not match.")
    try:
        method = method_type(method_type.Config.model_validate(header.config), dataset, device)
        for network, module in method.networks().items():
            prefix = f"{network}."
            module.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})
        for name in method.exported:
            if f"{STATISTICS}{name}" in weights:
                setattr(method, name, weights[f"{STATISTICS}{name}"].to(device))
    except (ValidationError, RuntimeError) as error:
        raise InputError(f"{path} was made by another version of the method {header.method!r}.") from error
    return method


@contextmanager
def _opened(path: Path) -> Iterator[tuple[ExportHeader, Any]]:
    """The header and the open safetensors file; what goes wrong while it is open is an `InputError`."""
    if not path.is_file():
        raise InputError(f"there is no file {path}: name an exported one, such as {BEST_FILE} in a trial's folder.")
    try:
        with safe_open(path, framework="pt") as file:
            yield ExportHeader.model_validate_json((file.metadata() or {})[HEADER_KEY]), file
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read: it is damaged or not a safetensors file.") from error
    except (KeyError, ValidationError) as error:
        raise InputError(f"{path} was not exported by this project, or by another version of it.") from error


def _sha256(weights: Mapping[str, Tensor]) -> str:
    """The checksum of weights; safetensors has none of its own."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
