"""Pages of MLflow's user interface that show a study: their addresses, and the layout of the charts.

The layout is kept as MLflow's own "share this view" keeps one, in a tag of the experiment. Its format is MLflow's own
affair; where a version does not know it, the page shows its usual charts. `tests/integration/test_smoke_study.py`
opens the pages in a browser.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from study.metric_names import SEARCHED, SECTIONS
from study.plan import StudyPlan
from study.trial_specs import distributions_of
from trainables.protocol import base_name

COMPARED = 5
"""How many of the best trials are compared with the first trials."""
VIEW_TAG = "mlflow.sharedViewState."
FLAT = "Model metrics"
"""How MLflow calls the section of metrics whose names have no slash."""
SYSTEM = "System metrics"
WORKFLOW = "workflowType=machine_learning"
"""Shows the side of MLflow that is about training."""


def pages(server: str, experiment: str, study: str, compared: Sequence[str]) -> dict[str, str]:
    """The addresses of a study's pages at MLflow's `server`, by what they show; `compared` are ids of runs."""
    found = {"its trials, the best first": charts_url(server, experiment, study)}
    if compared:
        shown = list(dict.fromkeys(compared))
        found["the best trials beside the first trials"] = comparison_url(server, experiment, shown)
    return found


def charts_url(server: str, experiment: str, study: str) -> str:
    """The charts of a study's trials, the best first; the experiment has the study's `view_tag`."""
    # A filter or an order in the address would make the page ignore the layout; they are in the layout.
    return f"{server}/#/experiments/{experiment}/runs?viewStateShareKey={_id(study)}&compareRunsMode=CHART&{WORKFLOW}"


def comparison_url(server: str, experiment: str, runs: Sequence[str]) -> str:
    """The comparison of some runs, all of one experiment."""
    asked = f"runs={quote(json.dumps([*runs]), safe='')}&experiments={quote(json.dumps([experiment]), safe='')}"
    return f"{server}/#/compare-runs?{asked}&{WORKFLOW}"


def view_tag(plan: StudyPlan) -> dict[str, str]:
    """The tag of the experiment with the layout of the charts of a study.

    First come the objective, the parallel coordinates of what is searched, the frames and the main metrics; then the
    sections, which MLflow fills by itself.
    """
    objective = plan.objectives[0]
    params, metrics = _searched(plan)
    measures = [settings for protocol in plan.protocols.values() for settings in protocol.measures]
    main = dict.fromkeys([objective, base_name(objective), *_shown(plan)])
    as_they_are = {"isGenerated": True, "lineSmoothness": 0, "useGlobalLineSmoothing": False}
    lines = [
        {"type": "LINE", "metricKey": name, "displayName": name, "xAxisKey": "step", **as_they_are} for name in main
    ]
    parallel = {"type": "PARALLEL", "selectedParams": params, "selectedMetrics": [*metrics, objective]}
    frames = dict.fromkeys(name for settings in measures for name in settings.frames)
    images = [{"type": "IMAGE", "imageKeys": [n], "isGenerated": True, "step": plan.rounds} for n in frames]
    charts: list[dict[str, Any]] = [lines[0], parallel, *images, *lines[1:]]
    sections = {name: _id(name) for name in (FLAT, *SECTIONS, SEARCHED, SYSTEM)}
    of_chart = {"metricSectionId": sections[FLAT], "deleted": False, "showAllRuns": True, "showRunParams": False}
    state = {
        "searchFilter": f"tags.study = '{plan.name}' and tags.trial != 'parent'",
        "orderByKey": f"metrics.`{objective}`",
        "orderByAsc": plan.directions[0] == "minimize",
        "isAccordionReordered": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
        "compareRunCharts": [{"uuid": _id(f"chart {n}"), **chart, **of_chart} for n, chart in enumerate(charts)],
        "compareRunSections": [
            {"uuid": uuid, "name": name, "display": name == FLAT, "isReordered": True, "deleted": False}
            for name, uuid in sections.items()
        ],
    }
    return {f"{VIEW_TAG}{_id(plan.name)}": json.dumps(state, separators=(",", ":"))}


def _shown(plan: StudyPlan) -> list[str]:
    return [name for p in plan.protocols.values() for name, metric in p.metrics().items() if metric.shown]


def _searched(plan: StudyPlan) -> tuple[list[str], list[str]]:
    """The searched parameters by their names among MLflow's params, if they are categories, and metrics.

    Parameters that only some trials have are left out: MLflow leaves out the trials without one.
    """
    params, metrics = [], []
    for name, found in distributions_of(plan.space, of_all_trials=True).items():
        if isinstance(found, CategoricalDistribution) and not all(isinstance(c, int | float) for c in found.choices):
            params.append(f"{SEARCHED}.{name}")
        else:
            log = isinstance(found, FloatDistribution | IntDistribution) and found.log
            metrics.append(f"{SEARCHED}/{'log10_' if log else ''}{name}")
    return params, metrics


def _id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]
