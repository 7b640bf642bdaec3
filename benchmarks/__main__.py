"""python -m benchmarks NAME runs `main` of benchmarks/NAME.py; without a name it lists what there is.

`driver` takes the number of trials, too: python -m benchmarks driver 10000.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import benchmarks

names = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.name.startswith("_"))
name, *numbers = sys.argv[1:] or [""]
if name not in names or len(numbers) > (name == "driver") or not all(map(str.isdecimal, numbers)):
    sys.exit(f"usage: python -m benchmarks NAME, where NAME is one of {', '.join(names)}; or driver TRIALS")
importlib.import_module(f"benchmarks.{name}").main(*map(int, numbers))
