"""Tools for states of methods, and a stand-in for an accelerator."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from trainables.methods.base import Method, State

META = torch.device("meta")
"""Stands for an accelerator: tensors on it have no data, and do not mix with those on the CPU."""


class MetaGenerator(torch.Generator):
    """A generator of `META`: what is drawn with it has to be drawn there, as on an accelerator."""

    device = META


class AnyGenerator(torch.Generator):
    """`torch.Generator`, which raises for `META`, and does not here."""

    def __new__(cls, device: torch.device | str = "cpu") -> Any:
        return MetaGenerator() if torch.device(device) == META else super().__new__(cls, device)  # type: ignore[call-arg]


def through_a_file(state: State) -> State:
    """Save and load as checkpoints are."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, map_location="cpu", weights_only=True)


def leaves(state: Any, path: str = "state") -> Iterator[tuple[str, Any]]:
    """Every value in nested dictionaries, lists and tuples, with its path."""
    if isinstance(state, dict | list | tuple):
        for key, value in state.items() if isinstance(state, dict) else enumerate(state):
            yield from leaves(value, f"{path}[{key!r}]")
    else:
        yield path, state


def size(state: Any) -> int:
    """Bytes of all tensors of a state, or of a part of it."""
    return sum(value.nbytes for _, value in leaves(state) if isinstance(value, Tensor))


def devices(state: State) -> dict[str, str]:
    """Where each tensor of a state is."""
    return {path: value.device.type for path, value in leaves(state) if isinstance(value, Tensor)}


@contextmanager
def up_to_missing_data() -> Iterator[None]:
    """The block ends without an error where it needs numbers from `META`, which has none."""
    try:
        yield
    except (RuntimeError, NotImplementedError) as error:
        if not any(reason in str(error) for reason in ("no data", "cannot be called on meta tensors")):
            raise


def without_fused_kernels(method: Method) -> None:
    """Let the optimisers of `method` step on `META`, which has no fused kernels."""
    for name in method.state:
        if isinstance(optimizer := getattr(method, name), torch.optim.Optimizer):
            for group in optimizer.param_groups:
                group["fused"] = False
            for moments in optimizer.state.values():
                if "step" in moments:  # other kernels have it on the host
                    moments["step"] = torch.ones(())
