"""Which device a trial or a command computes on: the one that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from trainables.errors import InputError
from trainables.precision import Precision

EXACT = "ieee"
"""PyTorch's name of float32 as it is."""

CONTEXT_BYTES = 512 << 20
"""What CUDA takes of a GPU's memory for each process, besides its tensors."""


def device_of(asked_for_gpu: bool) -> torch.device:
    """The CPU, or the GPU where one was asked for, which has run a kernel; raises `InputError` where it cannot."""
    if not asked_for_gpu:
        return torch.device("cpu")
    if failure := gpu_failure():
        raise InputError(f"a GPU was asked for, and {failure}")
    _multiply_in(EXACT)  # by default, PyTorch's convolutions are less precise
    return torch.device("cuda")


@contextmanager
def computing_in(precision: Precision, device: torch.device) -> Iterator[None]:
    """Inside, layers multiply in `precision`; outside, and on a CPU in "tf32" too, they multiply float32 as it is."""
    if device.type == "cuda" and precision != "fp32":
        _multiply_in("tf32")
    try:
        # A cached copy of weights would outlive an update of them.
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16", cache_enabled=False):
            yield
    finally:
        if device.type == "cuda":
            _multiply_in(EXACT)


def return_float32(network: nn.Module) -> None:
    """From now on, what `network` returns is float32, so that losses are computed in it where layers are not."""
    if isinstance(network, nn.ModuleDict | nn.ModuleList):
        for part in network.children():
            return_float32(part)
    else:
        network.register_forward_hook(lambda _, __, outputs: _in_float32(outputs))


def _in_float32(outputs: Any) -> Any:
    return tuple(map(_in_float32, outputs)) if isinstance(outputs, tuple) else outputs.float()


def _multiply_in(precision: str) -> None:
    torch.backends.cuda.matmul.fp32_precision = precision
    torch.backends.cudnn.fp32_precision = precision


def bound_memory(device: torch.device, share: float) -> None:
    """Bound what this process takes of a GPU's memory to its share: more is torch's out-of-memory error, its own."""
    if device.type == "cuda" and 0 < share < 1:
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(memory_fraction(share, total), device)


def memory_fraction(share: float, total: int) -> float:
    """The fraction of `total` bytes that torch may give to tensors of a process with this share of a GPU."""
    return max(share / 2, share - CONTEXT_BYTES / total)


def gpu_failure() -> str | None:
    """Why this process cannot compute on each GPU that it sees, as the end of a sentence; None if it can."""
    if not torch.cuda.is_available():
        return "torch finds no working CUDA here: check the driver (nvidia-smi) and that torch is built for CUDA."
    for index in range(torch.cuda.device_count()):
        try:
            works = torch.ones(2, device=f"cuda:{index}").add(1.0).sum().item() == 4.0
            reason = "a wrong result"
        except (RuntimeError, AssertionError) as error:
            works, reason = False, str(error).partition("\n")[0]
        if not works:
            major, minor = torch.cuda.get_device_capability(index)
            return (
                f"torch {torch.__version__} cannot compute on GPU {index}, {torch.cuda.get_device_name(index)} "
                f"(sm_{major}{minor}; it is built for {', '.join(torch.cuda.get_arch_list())}): {reason}."
            )
    return None


def name_of(device: torch.device) -> str:
    """How a run names its device: "cpu", or the model of the GPU."""
    return "cpu" if device.type == "cpu" else torch.cuda.get_device_name(device)
