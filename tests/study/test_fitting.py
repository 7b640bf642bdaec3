"""Tables on a terminal of 80 columns: whole numbers, readable text, and a line that says what has no room."""

from __future__ import annotations

import io
import re

import optuna
import pytest
import rich.box
from rich.console import Console as RichConsole
from rich.table import Table

from study import console as screen
from study.config import StudyConfig
from study.fitting import fitted
from study.optuna_storage import FIRST_TRIAL, METRICS
from study.planning import make_plan
from study.verdicts import judge_all
from trainables.preparation import Preparation
from trainables.repetitions import PER_SEED

SEEDS = 3


def table_of(*columns, rows=2):
    """A table of numbers, and of text where a column's name is `text`."""
    made = Table(box=rich.box.SIMPLE)
    for name in columns:
        made.add_column(name, no_wrap=name != "text")
    for _ in range(rows):
        made.add_row(*["lr 0.0001, width 32, lambda_tv off" if name == "text" else "123.4567" for name in columns])
    return made


def lines_of(table, width):
    console = RichConsole(file=io.StringIO(), width=width)
    console.print(table)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


@pytest.mark.parametrize("width", range(12, 60))
def test_numbers_are_whole_and_as_many_columns_are_shown_as_fit(width):
    shown, left_out = fitted(table_of("a", "b", "c", "d"), width)
    _, _, *rows = lines_of(shown, width)
    number = min((width - 1) // (len("123.4567") + 3), 4)
    assert [row.split() for row in rows] == [["123.4567"] * number] * 2
    assert left_out == ["a", "b", "c", "d"][number:]


def test_what_is_less_important_than_a_column_without_room_is_not_shown_either():
    _, left_out = fitted(table_of("a", "text", "b"), 20)
    assert left_out == ["text", "b"]


@pytest.mark.parametrize("width", [35, 40, 45, 46, 47, 60])
def test_a_list_is_broken_between_its_members(width):
    shown, _ = fitted(table_of("a", "text", rows=1), width)
    _, _, *rows = lines_of(shown, width)
    assert (len(rows) == 1) == (width >= len("  123.4567   lr 0.0001, width 32, lambda_tv off  "))
    assert {member for row in rows for member in re.findall(r"(?:lr|width|lambda_tv) [\w.]+", row)} == {
        "lr 0.0001",
        "width 32",
        "lambda_tv off",
    }


@pytest.fixture
def ended(tmp_path, monkeypatch, capsys):
    """What a study of the seven variants prints at its end on a terminal of some width."""
    plan = make_plan(StudyConfig(space="ablation", scale="smoke", seeds=SEEDS, storage_dir=tmp_path))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    values = {"fid_lenet_best": 126.4321, "fid_lenet_resampled": 137.1234, "is_lenet_at_best": 2.6331}
    values |= {"auroc_at_best": 0.36512, "best_round": 3.0}
    for number, first in enumerate(plan.space.first_trials()):
        study.enqueue_trial(dict(first.params), user_attrs={FIRST_TRIAL: first.name})
        trial = study.ask()
        plan.space.suggest(trial)
        found = {name: value * (1 + number / 50) for name, value in values.items()}
        trial.set_user_attr(METRICS, found | {"seconds_cpu": 1.5 + number})
        trial.set_user_attr(PER_SEED, [{k: v * (1 + seed / 100) for k, v in found.items()} for seed in range(SEEDS)])
        study.tell(trial, found["fid_lenet_best"])
    references = {"fid_lenet_noise": 137.92, "fid_lenet_test_images": 10.751, "auroc_mahalanobis": 0.9596}
    preparations = {"digits": Preparation(plan.protocols["digits"], references, ())}

    def of(width):
        console = screen.Console()
        monkeypatch.setattr(console, "_console", screen.Screen(highlight=False, width=width))
        console.print_results(plan, preparations, study)
        console.print_claims(plan, judge_all(plan, study, preparations))
        return capsys.readouterr().out, console.tables

    return of


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_word_and_no_number_is_cut(ended, width):
    _, tables = ended(width)
    for table in tables:
        shown, left_out = fitted(table, width)
        assert len(shown.columns) + len(left_out) == len(table.columns)
        lines = lines_of(shown, width)
        assert all(len(line) <= width for line in lines)
        whole = " ".join([str(table.title), *(str(cell) for c in table.columns for cell in (c.header, *c.cells))])
        assert {word for line in lines for word in line.strip(" ─").split()} <= set(whole.split())
        assert len(lines) <= 9 * table.row_count


def test_a_trial_its_objective_and_its_name_come_first(ended):
    text, _ = ended(80)
    assert re.search(r"^ +0 +126\.4 +baseline +137\.1 +2\.633 +0\.3651$", text.replace("  \n", "\n"), re.MULTILINE)


def test_what_has_no_room_is_named_with_the_place_that_has_it(ended):
    text, tables = ended(80)
    assert "no room here for seconds_cpu: the study's note in MLflow has all columns" in text
    assert "seconds" not in "".join(line for line in text.splitlines() if line.startswith("  "))
    assert [str(column.header).replace("\n", "") for column in tables[0].columns][-1] == "seconds_cpu"
    wide, _ = ended(160)
    assert "no room here" not in wide
