"""python -m benchmarks NAME runs `main` of benchmarks/NAME.py; without a name it lists what there is."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import benchmarks

names = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.name.startswith("_"))
if len(sys.argv) != 2 or sys.argv[1] not in names:
    sys.exit(f"usage: python -m benchmarks NAME, where NAME is one of {', '.join(names)}")
importlib.import_module(f"benchmarks.{sys.argv[1]}").main()
