"""The feature extractor of the `_inception` metrics: pytorch-fid's network and weights.

The driver looks for the weights and puts them into `<cache_dir>/inception`; trials load them from there.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from trainables.cache import find, keep
from trainables.data.download import network_timeout
from trainables.errors import InputError
from trainables.extractors.base import Extracted, check_images, in_batches, to_rgb
from trainables.files import sha256_of
from trainables.networks.inception import FidInception

WEIGHTS_NAME = "pt_inception-2015-12-05-6726825d.pth"
WEIGHTS_URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{WEIGHTS_NAME}"
WEIGHTS_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
WEIGHTS_FILE = "weights.pth"

BATCH_ON_CPU = 50
"""pytorch-fid's own; larger ones are no faster there."""


@dataclass(frozen=True)
class InceptionExtractor:
    """The network in evaluation mode; `sha256` is the checksum of the file of its weights."""

    network: FidInception
    sha256: str
    device: torch.device
    name: str = "inception"
    version: str = "2015-12-05"

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Extracted:
        """Features `(n, 2048)` and class probabilities `(n, 1008)` of images `(n, 1 or 3, H, W)` in [-1, 1].

        Images are preprocessed as in pytorch-fid: rounded to 8 bits, gray repeated to three channels. Raises
        `ValueError` for images of another shape or range.
        """
        check_images(images, "Inception")
        return in_batches(self._extract, images, self.device, BATCH_ON_CPU)

    def _extract(self, batch: Tensor) -> Extracted:
        features = self.network.features(to_rgb(batch.to(self.device, torch.float32)))
        probabilities = self.network.logits(features).double().softmax(dim=1)
        return features.double().cpu().numpy(), probabilities.cpu().numpy()


def prepare_inception(cache_dir: Path, weights: Path | None = None, sha256: str | None = None) -> InceptionExtractor:
    """The extractor, on the CPU, its weights copied into the cache. For the driver: this may download.

    The weights are taken from the file `weights`, if it is given. Otherwise they are taken from the cache, from torch
    hub's cache, or downloaded into the latter, whichever works first. Their checksum has to be `sha256`, by default
    pytorch-fid's.

    Raises `InputError` if there are no weights with this checksum.
    """
    expected = (sha256 or WEIGHTS_SHA256).lower()
    folder = _folder(expected, cache_dir)
    if weights is not None:
        _check(weights, expected)

    def copy(partial: Path) -> None:
        source = weights or _in_torch_hub(expected)
        _check(source, expected)
        _read(source)
        shutil.copyfile(source, partial / WEIGHTS_FILE)

    try:
        keep(folder, {"sha256": expected}, copy, f"{folder} is damaged: copying Inception's weights there again.")
    except OSError as error:
        raise InputError(
            f"cannot keep Inception's weights in {folder} ({error}): make room there or choose another cache folder."
        ) from error
    return load_inception(expected, cache_dir, torch.device("cpu"))


def load_inception(sha256: str, cache_dir: Path, device: torch.device) -> InceptionExtractor:
    """The extractor that `prepare_inception` left in the cache, on `device`. For trials: never downloads.

    Raises `InputError` if it is absent or damaged.
    """
    folder = _folder(sha256, cache_dir)
    found = find(folder)
    if found is None or found.sha256.get(WEIGHTS_FILE) != sha256:
        raise InputError(
            f"Inception's weights are absent or damaged in {folder}: prepare them on the driver, as "
            "`python -m study.launch` does, in a cache folder that every node sees."
        )
    return InceptionExtractor(_read(folder / WEIGHTS_FILE).to(device), sha256, device)


def _check(path: Path, expected: str) -> None:
    if not path.is_file():
        raise InputError(f"there is no file {path}: name Inception's weights with --inception-weights.")
    found = sha256_of(path)
    if found != expected:
        raise InputError(
            f"{path} has the checksum {found}, not {expected}: replace it by {WEIGHTS_URL}, or give "
            "--inception-weights and, if other weights are meant, their --inception-sha256."
        )


def _read(path: Path) -> FidInception:
    try:
        return FidInception(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # the unpickler may raise anything when it reads arbitrary bytes
        raise InputError(
            f"{path} holds no weights of pytorch-fid's Inception: download {WEIGHTS_URL} instead."
        ) from error


def _in_torch_hub(expected: str) -> Path:
    """The file in torch hub's cache, which pytorch-fid uses too; it is downloaded if it is not there."""
    path = Path(torch.hub.get_dir(), "checkpoints", WEIGHTS_NAME)
    if path.exists():
        return path
    if expected != WEIGHTS_SHA256:
        raise InputError("no weights in the cache have this --inception-sha256: name their file, --inception-weights.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with network_timeout():
            torch.hub.download_url_to_file(WEIGHTS_URL, str(path), WEIGHTS_SHA256, progress=False)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"cannot download Inception's weights ({error}): put {WEIGHTS_URL} at {path}, name it with "
            "--inception-weights, or measure with the classifier, --features lenet."
        ) from error
    return path


def _folder(sha256: str, cache_dir: Path) -> Path:
    return cache_dir / "inception" / sha256[:16]
