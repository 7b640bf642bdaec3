"""Samples and outputs of any number, made in batches of a fixed size."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

OUTPUT_BATCH = 1024


def make(n: int, batch_size: int, batch: Callable[[], Tensor]) -> Tensor:
    """The first `n` of what `batch`, called as often as it takes, makes `batch_size` of: they do not depend on `n`."""
    return torch.cat([batch() for _ in range(-(-n // batch_size))])[:n]


@torch.inference_mode()
def outputs(network: Callable[[Tensor], Tensor], x: Tensor, device: torch.device) -> Tensor:
    """What `network` on `device` says of each example of `x`, which may be anywhere, without gradients."""
    return torch.cat([network(batch.to(device)) for batch in x.split(OUTPUT_BATCH)])
