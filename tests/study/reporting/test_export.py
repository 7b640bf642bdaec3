"""Results of a study as a file, and the tables that a page makes of it."""

from __future__ import annotations

import copy
import json
import re

import numpy as np
import pytest

from study import report, results
from study.reporting.protocol import repeat
from trainables.errors import InputError


def test_a_table_is_made_of_the_values_of_each_seed(ablation, tmp_path, capsys):
    storage = ablation.param("folder").rpartition("/studies/")[0]
    (tmp_path / "results").mkdir()
    file = tmp_path / "results" / "a.json"
    assert report.main(["ablation", "--export", str(file), "--storage-dir", storage]) == 0
    page = tmp_path / "page.md"
    table = "<!-- table results/a.json: v = params.variant; fid = fid_lenet_best -->\nold\n<!-- end of table -->"
    page.write_text(f"before\n{table}\nafter\n")
    assert results.main([str(page)]) == 0
    lines = page.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    seeds = 40.0 * np.array([0.98, 1.0, 1.02])
    assert lines[4] == f"| baseline | 40 ± {np.std(seeds, ddof=1):.2g} |"
    assert lines[-4:-2] == ["", "*Means of 3 runs, ± their standard deviations.*"]
    assert len(lines) == 2 + 2 + 2 + 7 + 2
    assert results.with_tables(page) == page.read_text()
    assert re.search(r'"command": "python -m study\.launch --space ablation', file.read_text())


@pytest.mark.parametrize(("git", "named"), [(".git", "spaces/mine.py:Mine"), ("none", "{folder}/spaces/mine.py:Mine")])
def test_the_command_names_an_outside_space_as_from_the_root_of_its_checkout(ablation, tmp_path, git, named):
    (tmp_path / git).mkdir()
    outside = copy.copy(ablation)
    outside.__dict__["options"] = {**ablation.options, "space": f"{tmp_path}/spaces/mine.py:Mine"}
    assert f"--space {named.format(folder=tmp_path)}" in repeat(outside, anywhere=True)


def test_a_metric_that_a_method_lacks_has_an_empty_cell(tmp_path):
    trials = [
        {"first_trial": name, "state": "finished", "seeds": seeds}
        for name, seeds in (("gan", {"fid": [1.0, 2.0], "auroc": [0.9, 0.9]}), ("flow", {"fid": [20001.0] * 2}))
    ]
    (tmp_path / "a.json").write_text(json.dumps({"trials": trials}))
    page = tmp_path / "page.md"
    page.write_text("<!-- table a.json: arm = first_trial; fid = fid; auroc = auroc -->\n<!-- end of table -->\n")
    gan, flow = results.with_tables(page).splitlines()[3:5]
    assert gan == "| gan | 1.5 ± 0.71 | 0.9 |"
    assert flow == "| flow | 20,001 | - |"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [("results/no.json: a = b", "which is not there"), ("a.json: a = fid_nothing", "has a metric 'fid_nothing'")],
)
def test_a_page_that_names_what_is_not_there_is_a_sentence(tmp_path, line, sentence):
    trial = {"trial": 0, "state": "finished", "seeds": {"fid": [1.0]}}
    (tmp_path / "a.json").write_text(json.dumps({"trials": [trial]}))
    page = tmp_path / "page.md"
    page.write_text(f"<!-- table {line} -->\n<!-- end of table -->\n")
    with pytest.raises(InputError, match=sentence):
        results.with_tables(page)
