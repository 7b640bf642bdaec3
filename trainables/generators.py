"""Generators that are trained before a study: brought into the cache, or trained there, by the driver."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from trainables.cache import Key, keep, read_meta
from trainables.data.cache import open_dataset
from trainables.data.dataset import Dataset
from trainables.data.sources import file_name
from trainables.errors import InputError
from trainables.export import BEST_FILE, export, find_export, read_header
from trainables.files import sha256_of
from trainables.methods.abilities import Generates
from trainables.methods.base import Method, method_class


def bring(weights: Path, sha256: str, dataset: Dataset, cache_dir: Path) -> Path:
    """The copy in the cache of an exported generator, which is named as `--from` names it. For the driver.

    Raises `InputError` if there is none, if its checksum is not `sha256` (empty: any is right), and if its method has
    no generator or makes other images than those of the data set.
    """
    source = find_export(weights, cache_dir.parent)
    header = read_header(source)
    if not issubclass(method_class(header.method), Generates):
        raise InputError(f"{source} holds a method without a generator of latents: name a GAN or a VAE.")
    if header.shape != dataset.shape:
        raise InputError(
            f"the generator of {source} makes images of {header.shape} and data set {dataset.name!r} has "
            f"{dataset.shape} (channels, height, width): say --dataset {header.dataset}, or name another generator."
        )
    digest = sha256_of(source)
    if sha256 not in ("", digest):
        raise InputError(f"{source} has the checksum {digest}, not {sha256}: it is another file.")

    def copy(partial: Path) -> None:
        shutil.copyfile(source, partial / BEST_FILE)

    return _kept(cache_dir / "generators" / digest[:12], {"sha256": digest}, copy)


def train_once(name: str, settings: Mapping[str, Any], rounds: int, dataset: str, cache_dir: Path) -> Path:
    """The exported file of a method that is trained on the CPU, once for all studies with these settings."""
    data = read_meta(cache_dir / file_name(dataset)).sha256
    key = {"method": name, "settings": dict(settings), "rounds": rounds, "data": data}
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()

    def make(partial: Path) -> None:
        method = trained(name, settings, rounds, open_dataset(dataset, cache_dir), torch.device("cpu"))
        config = method.config.model_dump(mode="json")
        export(name, config, dataset, method, partial / BEST_FILE, rounds, {}, "", "minimize")

    return _kept(cache_dir / "generators" / f"{file_name(dataset)}-{name}-{digest[:12]}", key, make)


def trained(name: str, settings: Mapping[str, Any], rounds: int, dataset: Dataset, device: torch.device) -> Method:
    """A method that is trained for some rounds; raises `InputError` if it has no generator."""
    method_type = method_class(name)
    if not issubclass(method_type, Generates):
        raise InputError(f"method {name!r} has no generator of latents: name 'vae' or 'gan'.")
    method = method_type(method_type.Config(**settings), dataset, device)
    for _ in range(rounds):
        method.train_round()
    return method


def _kept(folder: Path, key: Key, make: Any) -> Path:
    try:
        keep(folder, key, make, f"{folder} is damaged: making it again.")
    except OSError as error:
        raise InputError(f"cannot write {folder} ({error}): make room there or choose another cache folder.") from error
    return folder / BEST_FILE
