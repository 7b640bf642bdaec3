"""The command that shows a study in MLflow, the addresses that it prints, and the layout of the charts."""

from __future__ import annotations

import json
import socket

from study.config import StudyConfig
from study.mlflow_pages import charts_url, comparison_url, view_tag
from study.planning import make_plan
from study.ui import main


def test_a_folder_without_studies_is_one_sentence(tmp_path, capsys):
    assert main(["--storage-dir", str(tmp_path)]) == 2
    assert "there are no studies in" in capsys.readouterr().err


def test_a_port_in_use_is_one_sentence(tmp_path, capsys):
    (tmp_path / "mlflow.db").write_bytes(b"")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["--storage-dir", str(tmp_path), "--port", str(port)]) == 2
    assert f"port {port} is in use: choose another --port" in capsys.readouterr().err


def test_a_server_that_is_away_is_one_sentence(capsys):
    assert main(["--tracking-uri", "http://me:secret@127.0.0.1:1"]) == 2
    said = capsys.readouterr().err
    assert "does not answer" in said
    assert "secret" not in said


def test_the_layout_begins_with_the_objective_and_has_what_is_searched(tmp_path):
    plan = make_plan(StudyConfig(space="gradnorm", name="s", storage_dir=tmp_path))
    ((name, value),) = view_tag(plan).items()
    assert name.removeprefix("mlflow.sharedViewState.") in charts_url("http://h", "7", "s")
    assert len(value) < 5000, "older servers keep no more"
    layout = json.loads(value)
    first, parallel, images, *_ = layout["compareRunCharts"]
    assert first["metricKey"] == "fid_lenet_best"
    assert {"searched/log10_image_lr", "searched/log10_lambda_tv"} < set(parallel["selectedMetrics"])
    assert images["imageKeys"] == ["samples"]
    assert layout["orderByAsc"] is True


def test_categories_are_params_of_the_layout(tmp_path):
    plan = make_plan(StudyConfig(space="ablation", name="s", storage_dir=tmp_path))
    layout = json.loads(next(iter(view_tag(plan).values())))
    assert layout["compareRunCharts"][1]["selectedParams"] == ["searched.variant"]


def test_the_address_of_a_comparison_is_quoted():
    assert comparison_url("http://h", "7", ["a", "b"]).startswith(
        "http://h/#/compare-runs?runs=%5B%22a%22%2C%20%22b%22%5D&experiments=%5B%227%22%5D"
    )
