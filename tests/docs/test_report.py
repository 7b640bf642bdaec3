"""docs/report.md: its example for notebooks runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.pyplot as plt

from study.config import StudyConfig
from study.planning import make_plan
from tests.systems.report import distance
from tests.systems.written_study import tell

PAGE = Path(__file__).parents[2] / "docs" / "report.md"
EXAMPLE = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]


def test_the_example_for_notebooks_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: None)
    plt.switch_backend("agg")
    options = {"space": "gradnorm", "scale": "smoke", "trials": 4, "name": "night", "sampler": "random"}
    tell(make_plan(StudyConfig(**options)), distance)
    cells: dict = {}
    exec(compile(EXAMPLE, str(PAGE), "exec"), cells)
    best, curves = cells["best"], cells["curves"]
    assert best["metrics.fid_lenet_best"] == cells["finished"]["metrics.fid_lenet_best"].min()
    assert curves.groupby("trial")["round"].apply(list).tolist() == [[2, 4]] * 4
    plt.close("all")
