"""docs/results.md and docs/reproduction.md have the numbers of the stored results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study import reproduction, results
from trainables.errors import InputError

PAGE = Path(__file__).parents[2] / "docs" / "results.md"


@pytest.mark.parametrize("page", [PAGE, PAGE.parents[1] / "README.md"], ids=lambda page: page.name)
def test_the_tables_of_the_pages_have_the_numbers_of_the_stored_results(page):
    assert results.with_tables(page) == page.read_text(encoding="utf-8")


REPRODUCTION = PAGE.parent / "reproduction.md"


def test_the_page_of_claims_and_published_figures_is_made_of_the_stored_results():
    assert reproduction.page(PAGE.parent / "results") == REPRODUCTION.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", sorted((PAGE.parent / "results").glob("*.json")), ids=lambda file: file.stem)
def test_the_command_of_stored_results_stands_on_the_page(file):
    """Of a space that is not in the package, on the page of results: reproduction.md has the spaces of the package."""
    command = json.loads(file.read_text())["command"]
    page = PAGE if ".py:" in command else REPRODUCTION
    assert command in page.read_text()


def test_a_figure_agrees_if_one_more_run_could_give_it():
    """By the prediction interval of n = 4 values: 3.182 * s * sqrt(1 + 1/4) on both sides of the mean."""
    ours = [1.0, 2.0, 3.0, 4.0]
    margin = 3.1824 * 1.29099 * 1.25**0.5
    for published, verdict in (
        (2.5 + 0.99 * margin, "agrees"),
        (2.5 + 1.01 * margin, "ours lower"),
        (-9, "ours higher"),
    ):
        assert reproduction._agreement(published, ours) == verdict


def test_results_without_a_scale_are_refused(tmp_path):
    (tmp_path / "toy_line.json").write_text(json.dumps({"trials": [], "claims": []}))
    with pytest.raises(InputError, match="export the study again"):
        reproduction.page(tmp_path)


def test_results_on_another_data_set_have_a_section_of_their_own(tmp_path):
    for file in (PAGE.parent / "results").glob("found_mnist5k*.json"):
        (tmp_path / file.name).write_text(file.read_text())
    text = reproduction.page(tmp_path)
    own, other = text.index("## found_mnist5k\n"), text.index("## found_mnist5k on fashion5k\n")
    assert "--dataset" not in text[own:other]
    assert "`python -m study.launch --space found_mnist5k --dataset fashion5k`" in text[other:]
    assert "| [found_mnist5k on fashion5k](#found_mnist5k-on-fashion5k) | laptop | 5 |" in text


def test_draws_of_the_labels_are_runs_of_one_setting(tmp_path):
    trials = [
        {"first_trial": f"SGAN, 25 labels, draw {draw}", "seeds": {"accuracy": [value]}}
        for draw, value in enumerate((0.80, 0.81, 0.79))
    ]
    stored = {"scale": "paper", "commit": "0" * 40, "trials": trials, "claims": []}
    (tmp_path / "labels.json").write_text(json.dumps(stored))
    text = reproduction.page(tmp_path)
    assert "| SGAN, 25 labels | accuracy | 0.802 | 0.8 ± 0.01 (n=3) | paper | agrees |\n" in text


def test_trials_that_a_table_does_not_tell_apart_share_a_row(tmp_path):
    trials = [
        {"state": "finished", "params": {"method": "a", "draw": 0}, "seeds": {"accuracy": [0.5]}},
        {"state": "finished", "params": {"method": "a", "draw": 1}, "seeds": {"accuracy": [0.7]}},
        {"state": "failed", "params": {"method": "b", "draw": 0}, "seeds": {}},
    ]
    (tmp_path / "x.json").write_text(json.dumps({"trials": trials}))
    page = tmp_path / "page.md"
    page.write_text("<!-- table x.json: method = params.method; accuracy = accuracy -->\nold\n<!-- end of table -->\n")
    lines = results.with_tables(page).splitlines()
    # The mean of .5 and .7, and their deviation: sqrt(2 * .1^2 / (2 - 1)).
    assert lines[-5:] == [
        "| a | 0.6 ± 0.14 |",
        "| b | failed |",
        "",
        "*Means of 2 runs, ± their standard deviations.*",
        "<!-- end of table -->",
    ]


def test_numbers_of_runs_that_differ_stand_beside_each_value(tmp_path):
    trials = [
        {"state": "finished", "first_trial": "a", "seeds": {"accuracy": [0.5, 0.7]}},
        {"state": "finished", "first_trial": "b", "seeds": {"accuracy": [0.4]}},
    ]
    (tmp_path / "x.json").write_text(json.dumps({"trials": trials}))
    page = tmp_path / "page.md"
    page.write_text("<!-- table x.json: arm = first_trial; accuracy = accuracy -->\n<!-- end of table -->\n")
    lines = results.with_tables(page).splitlines()
    assert lines[-3:] == ["| a | 0.6 ± 0.14 (n=2) |", "| b | 0.4 |", "<!-- end of table -->"]
