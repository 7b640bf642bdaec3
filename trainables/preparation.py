"""What the driver does once, before any trial: data sets and classifiers into the cache, the protocol completed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from trainables.data.cache import open_dataset, prepare
from trainables.devices import gpu_failure
from trainables.errors import InputError
from trainables.evaluator import Evaluator
from trainables.methods.base import method_class
from trainables.protocol import Protocol, measure_class


@dataclass(frozen=True)
class Preparation:
    """The complete protocol of a data set, and what its preparation found."""

    protocol: Protocol
    references: dict[str, float]
    """Reference values under the protocol, and other values of the preparation, by name."""
    notes: tuple[str, ...]
    """Sentences for the person who started the study."""


Preparations = Mapping[str, Preparation]
"""The preparations of a study, by data set."""


def prepare_protocol(protocol: Protocol, cache_dir: Path, asked_for_gpu: bool = False) -> Preparation:
    """Prepare everything that trials read; raises `InputError` where something cannot be had.

    The reference values are computed on the GPU if trials ask for one and there is one here, and on the CPU otherwise.
    """
    for settings in protocol.measures:
        settings.check(protocol.dataset)
    _refuse_shared_names(protocol)
    prepare(protocol.dataset, cache_dir)
    prepared = [
        measure_class(settings.measure).prepare(settings, protocol.dataset, cache_dir) for settings in protocol.measures
    ]
    complete = Protocol(dataset=protocol.dataset, measures=tuple(p.settings for p in prepared))
    try:
        references = _references(complete, cache_dir, asked_for_gpu)
    except ValueError as error:
        raise InputError(f"data set {protocol.dataset!r} cannot be measured: {error}") from error
    values = {name: value for p in prepared for name, value in p.values.items()}
    notes = dict.fromkeys(note for p in prepared for note in p.notes)
    return Preparation(complete, references | values, tuple(notes))


def _refuse_shared_names(protocol: Protocol) -> None:
    """Raise `InputError` if two measures report a metric of the same name: the first would be lost."""
    counts = Counter(name for settings in protocol.measures for name in settings.metrics(protocol.dataset))
    shared = [name for name, count in counts.items() if count > 1]
    if shared:
        raise InputError(f"two measures report {shared[0]}: leave one out, or give it other features.")


def _references(protocol: Protocol, cache_dir: Path, asked_for_gpu: bool) -> dict[str, float]:
    """The reference values of a protocol.

    On a GPU they are computed by a process of their own: the driver, which lives as long as the study, would keep the
    memory that trials need.
    """
    if not asked_for_gpu or not torch.cuda.is_available():
        return Evaluator(protocol, cache_dir, torch.device("cpu")).references()
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
        return process.submit(_references_on_gpu, protocol.model_dump_json(), cache_dir).result()


def _references_on_gpu(protocol_json: str, cache_dir: Path) -> dict[str, float]:
    device = torch.device("cpu" if gpu_failure() else "cuda")
    return Evaluator(Protocol.model_validate_json(protocol_json), cache_dir, device).references()


def check_abilities(method: str, protocol: Protocol) -> None:
    """Raise `InputError` where the method lacks an ability that a measure of the protocol needs, unless optional."""
    for settings in protocol.measures:
        if settings.optional:
            continue
        needs = measure_class(settings.measure).needs
        if not issubclass(method_class(method), needs):
            raise InputError(
                f"measure {settings.measure!r} needs a method that {needs.__name__.lower()}, and {method!r} does not: "
                "choose another measure, or another method."
            )


def check_method(method: str, config: dict[str, Any], dataset_name: str, cache_dir: Path) -> None:
    """Prepare what a method needs for a data set, build it and discard it.

    Raises `InputError` where that fails: no network for images of this size, no labels for a loss that needs them.
    """
    prepare(dataset_name, cache_dir)
    prepared = prepare_config(method, config, dataset_name, cache_dir)
    build = method_class(method)
    build(build.Config.model_validate(prepared), open_dataset(dataset_name, cache_dir), torch.device("cpu"))


def prepare_config(method: str, config: dict[str, Any], dataset_name: str, cache_dir: Path) -> dict[str, Any]:
    """The config with which trials start, JSON; what it names is in the cache. Raises `InputError`."""
    method_type = method_class(method)
    prepared = method_type.prepare(method_type.Config.model_validate(config), dataset_name, cache_dir)
    return dict(prepared.model_dump(mode="json"))


def open_prepared(protocol_json: str, cache_dir: Path) -> None:
    """Open what the trials of a protocol read; raises where some of it is absent or damaged. For a node's check."""
    Evaluator(Protocol.model_validate_json(protocol_json), cache_dir, torch.device("cpu"))
