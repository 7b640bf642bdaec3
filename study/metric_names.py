"""How MLflow calls a metric: its page has a section of charts for what stands before a slash.

The metrics that matter most have no section. Everywhere else the program uses the plain names.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections.abc import Iterable

from trainables.measures.settings import DETECTION_METRICS, RESAMPLED
from trainables.methods.base import method_class
from trainables.protocol import BEST, base_name
from trainables.trial_spec import TrialSpec

COST = "cost"
SECTIONS = ("quality", "ood", "train", COST, "interval")
"""The sections of what a trial reports; `quality` and `ood` (detection) hold what its measures found."""
SEARCHED = "searched"
"""The section of the suggested parameters, which a run has once."""

COSTS = ("seconds_", "memory_mb", "evaluation_share", "images_per_second", "parameters", "round")
OF_DETECTION = tuple(f"{metric}_" for metric in DETECTION_METRICS)
INTERVALS = ("_low", "_high", "_std")
"""They end the name of a number that says how far a metric varies."""


def in_sections(metrics: Iterable[str], spec: TrialSpec) -> dict[str, str]:
    """What MLflow calls the metrics of a trial: `fpr95_scrambled` is `ood/fpr95_scrambled`.

    The objective and the metrics that a measure shows keep their names, and so do their best values.
    """
    measured = spec.protocol.metrics()
    costs = method_class(spec.method).progress_metrics
    main = {name for name, metric in measured.items() if metric.shown} | {base_name(spec.objective)}
    main |= {name + BEST for name in main} | {spec.objective}

    def section(metric: str) -> str:
        base = base_name(metric).removesuffix(RESAMPLED)
        if metric.startswith(COSTS) or metric in costs:
            return COST
        if metric.endswith(INTERVALS):
            return "interval"
        if base.startswith(OF_DETECTION) or base == "auroc":
            return "ood"
        return "quality" if base in measured else "train"

    return {metric: metric if metric in main else f"{section(metric)}/{metric}" for metric in metrics}


def plain(name: str) -> str | None:
    """The metric that MLflow calls `name`: the inverse of `in_sections`; None for what a trial does not report."""
    section, slash, metric = name.partition("/")
    return (metric if section in SECTIONS else None) if slash else name


def allowed(name: str) -> str:
    """The name of a metric, a param or a tag as every tracking server takes it, different for every name."""
    section, slash, rest = name.partition("/")
    if slash and section in (*SECTIONS, SEARCHED):
        return f"{section}/{allowed(rest)}"
    if re.fullmatch(r"[A-Za-z0-9_. -]{1,200}", name) and posixpath.normpath(name) == name and name[0] not in "./":
        return name
    cleaned = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:60]
    return f"{cleaned}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}"
