"""Results of a study as a file, and the tables that a page makes of it."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from study import report, results
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
