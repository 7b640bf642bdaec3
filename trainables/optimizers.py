"""Optimisers that do not load torch's compiler.

torch keeps its compiler out of what an optimiser does. To say so, the first optimiser imports the compiler. That takes
about as long as importing torch, in the driver and in the process of every trial, and nothing here is compiled.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

COMPILER = "torch._dynamo"
KEPT_OUT = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def without_compiler() -> None:
    """From now on, torch's optimisers do the same without the compiler; nothing changes if it is loaded already."""
    if COMPILER in sys.modules:
        return
    for name in KEPT_OUT:
        setattr(Optimizer, name, inspect.unwrap(getattr(Optimizer, name)))
    for kind in vars(torch.optim).values():
        if inspect.isclass(kind) and issubclass(kind, Optimizer) and hasattr(kind.step, "__wrapped__"):
            kind.step = _differentiable_or_not(inspect.unwrap(kind.step))  # type: ignore[method-assign]


def _differentiable_or_not(step: Callable) -> Callable:
    """A step that records gradients if the optimiser is made for that."""

    @functools.wraps(step)
    def with_or_without_grad(self: Optimizer, *args: Any, **options: Any) -> Any:
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return step(self, *args, **options)

    return with_or_without_grad
