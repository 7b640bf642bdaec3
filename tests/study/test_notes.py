from __future__ import annotations

from rich.table import Table

from study.notes import LONGEST, note


def table(title, rows):
    made = Table(title=title)
    made.add_column("trial", justify="right")
    made.add_column("sett\nings")
    for row in range(rows):
        made.add_row(str(row), "image_lr 0.01, lambda_tv off", end_section=True)
    return made


def test_a_note_is_markdown_with_the_next_commands():
    assert note([table("best", 2)], ["python -m study.launch --resume s"]).splitlines() == [
        "**best**",
        "",
        "| trial | settings |",
        "|---|---|",
        "| 0 | image_lr 0.01, lambda_tv off |",
        "| 1 | image_lr 0.01, lambda_tv off |",
        "",
        "```",
        "python -m study.launch --resume s",
        "```",
    ]


def test_a_table_without_a_title_has_none_in_the_note():
    assert note([table(None, 1)], []).startswith("| trial |")


def test_what_mlflow_would_cut_is_left_out_and_the_commands_stay():
    text = note([table("best", 3), table("claims", 400)], ["next"])
    assert len(text) < LONGEST
    assert "**best**" in text
    assert "claims" not in text
    assert text.endswith("```\nnext\n```")
