"""Scrambled images, which a discriminator-only model learns to reject first ([Yesilcimen 2022], section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor


def scramble_strips(images: Tensor, max_strip: float, rng: torch.Generator) -> Tensor:
    """Permute vertical strips of each image `(B, C, H, W)` along the horizontal axis.

    The strip width is drawn for each image, uniform from 1 pixel to `max_strip` times `W` (at most `W - 1`). The image
    is cut from the left, so the last strip may be narrower, and the strips are shuffled. If the shuffle would leave
    the image as it was, its columns are rolled by one strip instead.
    """
    n, width = len(images), images.shape[-1]
    widest = min(max(1, int(max_strip * width)), width - 1)
    strip = torch.randint(1, widest + 1, (n, 1), generator=rng, device=rng.device)
    columns = torch.arange(width, device=rng.device).expand(n, width)
    keys = torch.rand(n, width, generator=rng, device=rng.device)
    # A column is sorted by the key of its strip. The sort is stable, so the columns of a strip stay in order.
    order = keys.gather(1, columns // strip).argsort(dim=1, stable=True)
    unchanged = (order == columns).all(dim=1, keepdim=True)
    order = torch.where(unchanged, (columns + strip) % width, order).to(images.device)
    return images.gather(3, order[:, None, None, :].expand(images.shape))
