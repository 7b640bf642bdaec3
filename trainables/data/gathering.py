"""Training examples by their indices. An accelerator keeps them all, in 8 bits, where they fit: no batch is copied."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from trainables.data.dataset import Split
from trainables.data.tensors import to_floats, to_tensor

SHARE = 0.1
"""The share of a GPU's free memory that examples may take to be kept there."""

COPIED_AT_ONCE = 8192


def examples_at(split: Split, indices: Tensor, device: torch.device) -> Tensor:
    """The examples at `indices`, of any shape, as `to_tensor` makes them, on `device`."""
    kept = _kept(split, device)
    if kept is None:
        return to_tensor(split.examples[indices.numpy(force=True)], device)
    return to_floats(kept[0][indices])


def labels_at(split: Split, indices: Tensor, device: torch.device) -> Tensor:
    """The labels at `indices`, of any shape, on `device`, for a split that has some."""
    assert split.labels is not None
    kept = _kept(split, device)
    if kept is None:
        return torch.from_numpy(split.labels[indices.numpy(force=True)]).to(device)
    return kept[1][indices]


@lru_cache(maxsize=1)  # the trainings of a process share a data set
def _kept(split: Split, device: torch.device) -> tuple[Tensor, Tensor] | None:
    """All examples and labels, empty where there are none, on an accelerator; None where they do not fit."""
    if device.type == "cpu" or not _fits(split.examples.nbytes, device):
        return None
    return _all(split, device)


def _all(split: Split, device: torch.device) -> tuple[Tensor, Tensor]:
    labels = np.empty(0, np.int64) if split.labels is None else np.array(split.labels)
    parts = range(0, len(split), COPIED_AT_ONCE)  # they are memory-mapped, and may exceed the host's memory
    examples = [torch.from_numpy(np.array(split.examples[i : i + COPIED_AT_ONCE])).to(device) for i in parts]
    return torch.cat(examples), torch.from_numpy(labels).to(device)


def _fits(size: int, device: torch.device) -> bool:
    return device.type != "cuda" or size <= SHARE * torch.cuda.mem_get_info(device)[0]
