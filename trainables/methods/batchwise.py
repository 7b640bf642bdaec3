"""Samples and outputs of any number, made in batches of a fixed size."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

OUTPUT_BATCH = 1024


def make(n: int, batch_size: int, batch: Callable[[], Tensor]) -> Tensor:
    """Call `batch`, which makes `batch_size` examples, as often as needed; return the first `n` examples."""
    return torch.cat([batch() for _ in range(-(-n // batch_size))])[:n]


@torch.inference_mode()
def outputs(network: Callable[[Tensor], Tensor], x: Tensor, device: torch.device, axis: int = 0) -> Tensor:
    """The outputs of `network` on `device` for all examples `x`, which may be on any device; without gradients.

    The examples are along `axis` of `x` and of the outputs.
    """
    return torch.cat([network(batch.to(device)) for batch in x.split(OUTPUT_BATCH, axis)], axis)
