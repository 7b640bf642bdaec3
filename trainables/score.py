"""python -m trainables.score --real A --fake B: score images against real ones, as a study does."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from trainables.command_line import run
from trainables.data.image_sets import read_image_set
from trainables.data.sources import source_of
from trainables.data.tensors import to_tensor
from trainables.devices import device_of
from trainables.errors import InputError
from trainables.extractors.base import Extractor, extract_array
from trainables.extractors.by_name import load_extractor, prepare_extractor
from trainables.files import sha256_of_array
from trainables.measures.reference import Reference, feature_metrics
from trainables.measures.settings import ExtractorName, FeatureSettings
from trainables.metrics.parzen import PUBLISHED_BANDWIDTHS, parzen_log_likelihood
from trainables.options import Option


@dataclass(frozen=True)
class ScoreConfig:
    """Score images against real ones. JSON on standard output: the metrics, the protocol, and its hash."""

    real: Path
    """A folder of images, or a .npy or .npz file (n, 1 or 3, height, width), uint8 or floats in [-1, 1]."""
    fake: Path
    """The images to be scored, as above."""
    features: ExtractorName = "inception"
    """The features of Inception, of a data set's classifier (lenet), which needs --dataset, or of EfficientNet-Lite0
    (efficientnet)."""
    dataset: str | None = None
    """The data set of the classifier, which is trained unless the storage folder has it."""
    inception_weights: Path | None = None
    """The file of Inception's weights, if it is not in torch hub's cache and cannot be downloaded."""
    inception_sha256: Annotated[str | None, Option(placeholder="CHECKSUM")] = None
    """The checksum of Inception's weights, if they are not pytorch-fid's."""
    inception_splits: int = 1
    """The number of parts over which the Inception Score is averaged; published scores often have 10."""
    parzen: bool = False
    """Add the log-likelihood of half of the real images under a Parzen window, whose bandwidth the other half gives."""
    parzen_validation: Path | None = None
    """The same by the published protocol: of ten bandwidths the best for these training images, and all real images,
    which should be test images, are evaluated."""
    seed: int = 0
    """Decides the subsets of the kernel distance, and the halves of the real images."""
    gpu: bool = False
    """Compute on the GPU instead of the CPU."""
    storage_dir: Path = Path("outputs")
    """Where data sets, classifiers and Inception's weights are kept."""


class SetProtocol(FeatureSettings):
    """How one set of images was measured against another."""

    dataset: str | None
    num_real: int
    num_fake: int
    real_sha256: str


def score(config: ScoreConfig) -> dict[str, Any]:
    """The metrics, the protocol, and its hash; raises `InputError`."""
    if config.inception_splits < 1 or config.seed < 0:
        raise InputError("--inception-splits must be at least 1 and --seed at least 0.")
    real, fake = read_image_set(config.real), read_image_set(config.fake)
    device = device_of(config.gpu)
    extractor = _extractor(config, device)
    protocol = SetProtocol(
        features=config.features,
        extractor_version=extractor.version,
        extractor_sha256=extractor.sha256,
        inception_splits=config.inception_splits,
        seed=config.seed,
        dataset=config.dataset,
        num_real=len(real),
        num_fake=len(fake),
        real_sha256=sha256_of_array(real),
    )
    try:
        print(f"features of {len(real)} real and {len(fake)} other images ...", file=sys.stderr)
        reference = Reference.of(extract_array(extractor, real)[0], protocol, device)
        metrics = feature_metrics(protocol, reference, *extract_array(extractor, fake))
        outcome: dict[str, Any] = {"metrics": metrics}
        if config.parzen_validation is not None:
            validation = read_image_set(config.parzen_validation)
            published = parzen_log_likelihood(_unit(fake), _unit(validation), _unit(real), PUBLISHED_BANDWIDTHS)
            outcome["parzen"] = asdict(published)
        elif config.parzen:
            outcome["parzen"] = asdict(parzen_log_likelihood(*_parzen_sets(real, fake, config.seed)))
    except ValueError as error:
        raise InputError(f"{config.real} and {config.fake} cannot be compared: {error}") from error
    protocol_json = protocol.model_dump_json()
    sha256 = hashlib.sha256(protocol_json.encode()).hexdigest()
    return outcome | {"protocol": json.loads(protocol_json), "protocol_sha256": sha256}


def _extractor(config: ScoreConfig, device: torch.device) -> Extractor:
    if config.features == "lenet" and config.dataset is None:
        raise InputError("--features lenet needs the data set whose classifier is meant: name it with --dataset.")
    if config.features != "lenet" and config.dataset is not None:
        raise InputError(f"--dataset names the classifier of --features lenet: leave it out with {config.features}.")
    dataset = config.dataset or ""
    if dataset:
        source_of(dataset)
    cache_dir = config.storage_dir / "cache"
    prepared, _ = prepare_extractor(
        config.features, dataset, cache_dir, config.inception_weights, config.inception_sha256
    )
    return load_extractor(config.features, prepared.sha256, dataset, cache_dir, device)


def _parzen_sets(real: np.ndarray, fake: np.ndarray, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Samples, validation and test images, in [0, 1]."""
    order = np.random.default_rng(seed).permutation(len(real))
    half = len(real) // 2
    samples, validation, test = (_unit(x) for x in (fake, real[order[:half]], real[order[half:]]))
    return samples, validation, test


def _unit(images: np.ndarray) -> Tensor:
    """Images in [0, 1]."""
    return (to_tensor(images).float() + 1) / 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, or 2 for bad input."""

    def action(config: ScoreConfig) -> int:
        print(json.dumps(score(config), indent=2))
        return 0

    return run(ScoreConfig, "python -m trainables.score", action, arguments)


if __name__ == "__main__":
    sys.exit(main())
