"""How close restored images are to their originals. scikit-image, which computes it, is imported where it is used."""

from __future__ import annotations

import numpy as np
from torch import Tensor


def psnr(restored: Tensor, originals: Tensor) -> float:
    """Peak signal-to-noise ratio in dB, mean over images `(n, C, H, W)` in [-1, 1]; infinite for equal images.

    Raises `ValueError` for shapes that differ.
    """
    from skimage.metrics import peak_signal_noise_ratio

    pairs = _pairs(restored, originals)
    # scikit-image would warn of a division by zero.
    values = [
        np.inf if np.array_equal(*pair) else peak_signal_noise_ratio(pair[1], pair[0], data_range=1.0) for pair in pairs
    ]
    return float(np.mean(values))


def ssim(restored: Tensor, originals: Tensor) -> float:
    """Structural similarity, at most 1, mean over images `(n, C, H, W)` in [-1, 1] of at least 7x7 pixels.

    The windows are uniform, of 7x7 pixels (Wang et al. 2004); the channels are averaged. Raises `ValueError` for shapes
    that differ, and for smaller images.
    """
    from skimage.metrics import structural_similarity

    values = [
        structural_similarity(original, image, data_range=1.0, channel_axis=0)
        for image, original in _pairs(restored, originals)
    ]
    return float(np.mean(values))


def _pairs(restored: Tensor, originals: Tensor) -> list[tuple[np.ndarray, np.ndarray]]:
    if restored.shape != originals.shape or restored.dim() != 4 or not len(restored):
        raise ValueError(f"images {tuple(restored.shape)} and {tuple(originals.shape)} must be (n, C, H, W), n > 0.")
    # SSIM compares the means of windows, which must not be negative: images in [0, 1].
    arrays = (images.double().add(1.0).div(2.0).cpu().numpy() for images in (restored, originals))
    return list(zip(*arrays, strict=True))
