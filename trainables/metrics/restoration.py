"""How close restored images are to their originals. scikit-image, which computes it, is imported where it is used."""

from __future__ import annotations

import numpy as np
from torch import Tensor

PERFECT = 100.0
"""The signal-to-noise ratio of images that are equal, and the highest one: a mean over images stays finite."""


def psnr_per_image(restored: Tensor, originals: Tensor) -> np.ndarray:
    """Peak signal-to-noise ratios `(n,)` in dB, at most `PERFECT`, of images `(n, C, H, W)` in [-1, 1].

    Raises `ValueError` for shapes that differ.
    """
    return np.array([_psnr(image, original) for image, original in zip(*_arrays(restored, originals), strict=True)])


def psnr(restored: Tensor, originals: Tensor) -> float:
    """The mean of `psnr_per_image`. A few images that are nearly flat can lift it by many dB."""
    return float(psnr_per_image(restored, originals).mean())


def psnr_pooled(restored: Tensor, originals: Tensor) -> float:
    """The ratio in dB of the squared error of all pixels of all images together."""
    return _psnr(*_arrays(restored, originals))


def ssim(restored: Tensor, originals: Tensor) -> float:
    """Structural similarity, at most 1, mean over images `(n, C, H, W)` in [-1, 1] of at least 7x7 pixels.

    The windows are uniform, of 7x7 pixels (Wang et al. 2004); the channels are averaged. Raises `ValueError` for shapes
    that differ, and for smaller images.
    """
    from skimage.metrics import structural_similarity

    pairs = zip(*_arrays(restored, originals), strict=True)
    return float(np.mean([structural_similarity(b, a, data_range=1.0, channel_axis=0) for a, b in pairs]))


def sharpness(restored: Tensor, originals: Tensor) -> float:
    """How steep the edges of images `(n, C, H, W)` are, as a share of the originals': 1 is as sharp, less is blurred.

    It is the ratio of the root mean squares of the differences of neighbouring pixels.
    """
    steepness = [sum(images.double().diff(dim=d).square().sum() for d in (-1, -2)) for images in (restored, originals)]
    return float((steepness[0] / steepness[1]) ** 0.5)


def _psnr(restored: np.ndarray, original: np.ndarray) -> float:
    from skimage.metrics import peak_signal_noise_ratio

    if np.array_equal(restored, original):  # scikit-image would warn of a division by zero
        return PERFECT
    return min(float(peak_signal_noise_ratio(original, restored, data_range=1.0)), PERFECT)


def _arrays(restored: Tensor, originals: Tensor) -> tuple[np.ndarray, np.ndarray]:
    if restored.shape != originals.shape or restored.dim() != 4 or not len(restored):
        raise ValueError(f"images {tuple(restored.shape)} and {tuple(originals.shape)} must be (n, C, H, W), n > 0.")
    # SSIM compares the means of windows, which must not be negative: images in [0, 1].
    first, second = (images.double().add(1.0).div(2.0).cpu().numpy() for images in (restored, originals))
    return first, second
