"""What a round returns: numbers on the CPU; on an accelerator tensors, which the host reads once an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from trainables.methods.base import require_finite

Scalars = Mapping[str, Tensor | float]
"""Metrics of a round: a tensor `()`, or `(K,)` in a stack of K members, or a number that is the same for all."""


def as_metrics(scalars: Scalars, round_number: int) -> Scalars:
    """The metrics of a method alone. Their tensors are on one device, and on an accelerator they stay there.

    On the CPU they are numbers, and one that is not finite raises `NonFiniteLossError`.
    """
    tensors = {name: value for name, value in scalars.items() if isinstance(value, Tensor)}
    together = torch.stack([value.detach() for value in tensors.values()])
    on_host = together.device.type == "cpu"
    values = together.tolist() if on_host else together.unbind()
    metrics = {name: value for name, value in scalars.items() if name not in tensors}
    metrics |= dict(zip(tensors, values, strict=True))
    return require_finite(metrics, round_number) if on_host else metrics


def read(rounds: Sequence[Scalars], first: int) -> list[dict[str, float]]:
    """The metrics of rounds as numbers, in a single transfer, for which the host waits once.

    Raises `NonFiniteLossError` for the first tensor that is not finite; `first` is the number of the first round.
    """
    tensors = [value for metrics in rounds for value in metrics.values() if isinstance(value, Tensor)]
    values = iter(torch.stack(tensors).tolist() if tensors else ())
    made = []
    for number, metrics in enumerate(rounds, first):
        of_tensors = {name: next(values) for name, value in metrics.items() if isinstance(value, Tensor)}
        made.append({**metrics, **require_finite(of_tensors, number)})
    return made
