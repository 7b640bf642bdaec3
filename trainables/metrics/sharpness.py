"""How much contrast images have, and how blurred they are. Images are `(n, C, H, W)` in [-1, 1]."""

from __future__ import annotations

import numpy as np
from skimage.measure import blur_effect

WINDOW = 3
"""Pixels over which `blur` blurs an image again. scikit-image's 11 is for photographs: it is wider than a stroke."""


def contrast(images: np.ndarray) -> float:
    """The root mean square contrast (Peli 1990): the deviation of an image's pixels in [0, 1]; a mean over images.

    It is in [0, 1/2]: 0 for images of one intensity, 1/2 where half of the pixels are black and half are white.
    """
    return float((images / 2).std(axis=(1, 2, 3)).mean())


def blur(images: np.ndarray) -> float:
    """How little blurring an image again changes its edges, in [0, 1] (Crete et al. 2007), by scikit-image.

    It is a mean over the images and their channels: 0 is sharp, 1 is blurred. An image without edges has 1.
    """
    planes = images.reshape(-1, *images.shape[2:]).astype(np.float64)
    return float(np.mean([_of_plane(plane) for plane in planes]))


def _of_plane(plane: np.ndarray) -> float:
    return blur_effect(plane, h_size=WINDOW) if np.ptp(plane) > 0 else 1.0
