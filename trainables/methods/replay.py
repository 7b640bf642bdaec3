"""An update that is made hundreds of times, as a CUDA graph: the host queues it in one call instead of hundreds."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Update = Callable[[], None]

_newest: list[torch.cuda.CUDAGraph] = []
"""The graph that was captured last: the next one takes over its memory."""


def in_place(update: Update, holders: Sequence[object]) -> Update:
    """`update`, whose results are kept in the same memory: what it assigns to attributes of `holders`.

    The attributes have been tensors before, of the same shape and type.
    """
    kept = [(each, name, value) for each in holders for name, value in vars(each).items() if isinstance(value, Tensor)]

    def update_in_place() -> None:
        try:
            update()
            for holder, name, value in kept:
                if (made := getattr(holder, name)) is not value:
                    value.copy_(made)
        finally:
            for holder, name, value in kept:
                setattr(holder, name, value)

    return update_in_place


def replayed(update: Update) -> Update:
    """`update` as a CUDA graph, or itself, with a warning, where it cannot be captured. Capturing does not run it.

    It works in place, reads nothing on the host, draws no random numbers, and has been called before.
    """
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph, pool=_newest[0].pool() if _newest else None):
            update()
    except RuntimeError as error:
        warnings.warn(f"updates are slower, since they cannot be replayed as a CUDA graph: {error}", stacklevel=2)
        return update
    _newest[:] = [graph]
    return graph.replay
