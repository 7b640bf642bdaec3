"""Studies in the process of the tests, on a Ray that stays for the next one: for what does not need a driver's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from typing import Any

import study  # noqa: F401  sets what Ray reads when it is imported

# isort: split
import pytest
import ray

CPUS = 2


class OneRay:
    """The first study starts Ray, and those that follow find it; it has two CPUs, whatever the machine has."""

    def __init__(self) -> None:
        self._init, self._shutdown = ray.init, ray.shutdown
        self._options: dict[str, Any] = {}

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Meanwhile Ray is not ended, and not started again unless it is to be another one."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ray, "init", self._keep)
            patch.setattr(ray, "shutdown", lambda: None)
            yield

    def close(self) -> None:
        """End Ray."""
        self._shutdown()

    def _keep(self, **options: Any) -> None:
        if ray.is_initialized():
            if options == self._options:
                return
            self._shutdown()
        self._init(**options, num_cpus=CPUS)
        self._options = options


@contextmanager
def as_in_a_new_process() -> Iterator[None]:
    """Afterwards nothing is known of modules from outside: each study reads them from a copy of its own."""
    path, modules = list(sys.path), set(sys.modules)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            is_file = getattr(sys.modules[name], "__file__", None) is not None
            if is_file and "." not in name and PathFinder.find_spec(name, path) is None:
                del sys.modules[name]
