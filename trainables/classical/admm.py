"""Deconvolution with total variation by the alternating direction method of multipliers (Boyd et al. 2011)."""

from __future__ import annotations

import numpy as np


def admm_tv(
    images: np.ndarray, kernel: np.ndarray, weight: float, penalty: float = 0.01, iterations: int = 75
) -> np.ndarray:
    """The minimisers `(..., H, W)` of `1/2 |Kx - y|^2 + weight TV(x)` for degraded images `y` of the same shape.

    `K` is the circular convolution with `kernel`, of odd sides, and TV the sum over pixels of the length of the
    gradient, by circular forward differences. With the split `z = Dx`, `x` is found in Fourier space and `z` by
    shrinking the gradient's length by `weight / penalty`.
    """
    height, width = images.shape[-2:]
    transfer = transfer_function(kernel, height, width)
    differences = np.stack([transfer_function(d, height, width) for d in (FORWARD.T, FORWARD)])
    denominator = np.abs(transfer) ** 2 + penalty * (np.abs(differences) ** 2).sum(0)
    data = transfer.conj() * np.fft.rfft2(images)
    z = np.zeros((2, *images.shape))
    u = np.zeros_like(z)
    x = images
    for _ in range(iterations):
        prior = sum(d.conj() * np.fft.rfft2(part) for d, part in zip(differences, z - u, strict=True))
        spectrum = (data + penalty * prior) / denominator
        x = np.fft.irfft2(spectrum, s=(height, width))
        gradient = np.stack([np.fft.irfft2(d * spectrum, s=(height, width)) for d in differences])
        z = _shrink(gradient + u, weight / penalty)
        u += gradient - z
    return x


FORWARD = np.array([[1.0, -1.0, 0.0]])
"""As a convolution: the next pixel minus this one, along a row."""


def transfer_function(kernel: np.ndarray, height: int, width: int) -> np.ndarray:
    """The Fourier transform `(H, W // 2 + 1)` of the circular convolution with a kernel of odd sides."""
    padded = np.zeros((height, width))
    rows, columns = kernel.shape
    padded[:rows, :columns] = kernel
    return np.fft.rfft2(np.roll(padded, (-(rows // 2), -(columns // 2)), axis=(0, 1)))


def _shrink(gradient: np.ndarray, threshold: float) -> np.ndarray:
    """Vectors `(2, ...)`, each shorter by `threshold`, or 0."""
    length = np.sqrt((gradient**2).sum(0))
    return gradient * np.maximum(1.0 - threshold / np.maximum(length, 1e-12), 0.0)
