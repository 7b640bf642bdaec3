"""Images of one data set in the shape of another one: out-of-distribution sets need this."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.errors import InputError

# Luma of red, green and blue: ITU-R BT.601-7, section 2.5.1.
LUMA = (0.299, 0.587, 0.114)

# Number of images that are resized at once; it limits the memory of their float copies.
CHUNK = 1024


def conform(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Turn `images` `(N, C, H, W)`, uint8, into `(N, *shape)`, uint8; `shape` is `(channels, height, width)`.

    RGB becomes gray as BT.601 luma, gray becomes RGB by repetition. The size changes by bilinear interpolation,
    antialiased where images shrink; the aspect ratio follows `shape`. The computation is in float32 and rounds once.
    Images that have the shape already are returned without a copy.

    Raises `InputError` if the channels differ and are not 1 and 3.
    """
    if images.shape[1:] == shape:
        return images
    if images.shape[1] != shape[0] and {images.shape[1], shape[0]} != {1, 3}:
        raise InputError(f"images with {images.shape[1]} channels cannot be turned into {shape[0]} channels.")
    to_gray = images.shape[1] == 3 and shape[0] == 1
    conformed = np.empty((len(images), *shape), np.uint8)
    for start in range(0, len(images), CHUNK):
        chunk = torch.from_numpy(images[start : start + CHUNK].astype(np.float32))
        if to_gray:
            chunk = _luma(chunk)
        # Where gray becomes RGB, the assignment repeats the channel by broadcasting.
        conformed[start : start + CHUNK] = _resize(chunk, (shape[1], shape[2])).round().byte().numpy()
    return conformed


def _luma(images: Tensor) -> Tensor:
    return (images * torch.tensor(LUMA).view(3, 1, 1)).sum(dim=1, keepdim=True)


def _resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    if images.shape[2:] == size:
        return images
    return F.interpolate(images, size=size, mode="bilinear", antialias=True)
