"""What the driver does once, before any trial: data sets and classifier into the cache, the protocol fixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from trainables.data.cache import is_at_hand, open_dataset, prepare
from trainables.data.points import POINT_SETS
from trainables.data.sources import parent_of
from trainables.errors import InputError
from trainables.evaluators import AnyProtocol
from trainables.extractors.by_name import ExtractorChoice, load_extractor, prepare_extractor
from trainables.measures.detection import SCRAMBLED
from trainables.measures.fidelity import Evaluator
from trainables.measures.points import PointEvaluator, PointProtocol
from trainables.methods import METHODS
from trainables.protocol import NEIGHBOURS, Protocol

DEFAULT_EXTRACTOR = ExtractorChoice()


@dataclass(frozen=True)
class Preparation:
    """The protocol of a data set and what was found out while preparing it."""

    protocol: AnyProtocol
    classifier_accuracy: float | None
    """None where no classifier was trained: for points, and with Inception."""
    anchors: dict[str, float]
    """The distance of noise and of real data under the protocol."""
    left_out: tuple[str, ...]
    """Out-of-distribution sets that are not on this machine."""


Preparations = Mapping[str, Preparation]
"""Those of a study, by data set."""


def prepare_protocol(
    dataset_name: str,
    ood_sets: tuple[str, ...],
    num_samples: int,
    cache_dir: Path,
    choice: ExtractorChoice = DEFAULT_EXTRACTOR,
    download_ood_sets: bool = False,
) -> Preparation:
    """Prepare everything that trials read; raises `InputError` where something cannot be had.

    A data set that is one class of another is measured with the other's classifier, and not told from the other.
    Out-of-distribution sets that would have to be downloaded are left out unless `download_ood_sets`.
    """
    if dataset_name in POINT_SETS:
        return _prepare_points(dataset_name, num_samples, cache_dir)
    parent = parent_of(dataset_name)
    if num_samples <= NEIGHBOURS:
        raise InputError(f"{num_samples} samples are too few: more than {NEIGHBOURS} are needed.")
    extractor, accuracy = prepare_extractor(choice, dataset_name, cache_dir)
    prepare(dataset_name, cache_dir)
    others = [name for name in ood_sets if name != parent]
    found = [name for name in others if name == SCRAMBLED or download_ood_sets or is_at_hand(name, cache_dir)]
    for name in found:
        if name != SCRAMBLED:
            prepare(name, cache_dir)
    protocol = Protocol(
        dataset=dataset_name,
        extractor=extractor.name,
        extractor_version=extractor.version,
        extractor_sha256=extractor.sha256,
        num_samples=num_samples,
        ood_sets=tuple(found),
    )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        anchors = Evaluator(protocol, cache_dir, device).anchors()
    except ValueError as error:
        raise InputError(f"data set {dataset_name!r} cannot be measured: {error}") from error
    left_out = tuple(name for name in others if name not in found)
    return Preparation(protocol, accuracy, anchors, left_out)


def open_prepared(protocol_json: str, cache_dir: Path) -> None:
    """Open what the trials of a protocol read; raises where some of it is absent or damaged. For a node's check."""
    protocol: AnyProtocol = TypeAdapter(AnyProtocol).validate_json(protocol_json)
    open_dataset(protocol.dataset, cache_dir)
    if isinstance(protocol, Protocol):
        for name in protocol.ood_sets:
            if name != SCRAMBLED:
                open_dataset(name, cache_dir)
        cpu = torch.device("cpu")
        load_extractor(protocol.extractor, protocol.extractor_sha256, protocol.dataset, cache_dir, cpu)


def check_method(method: str, config: dict[str, Any], dataset_name: str, cache_dir: Path) -> None:
    """Build a method for a data set and let it go again.

    Raises `InputError` where it cannot be: no network for images of this size, no labels for a loss that needs them.
    """
    prepare(dataset_name, cache_dir)
    build = METHODS[method]
    build(build.Config.model_validate(config), open_dataset(dataset_name, cache_dir), torch.device("cpu"))


def _prepare_points(dataset_name: str, num_samples: int, cache_dir: Path) -> Preparation:
    prepare(dataset_name, cache_dir)
    protocol = PointProtocol(dataset=dataset_name, num_samples=num_samples)
    return Preparation(protocol, None, PointEvaluator(protocol, cache_dir, torch.device("cpu")).anchors(), ())
