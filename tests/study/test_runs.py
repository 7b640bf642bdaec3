"""What is written to MLflow and read from it, against a real store."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient

from study.events import PARENT
from study.runs import Runs
from study.sentences import without_credentials
from trainables.errors import InputError


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def open_runs(uri, tmp_path, request):
    return lambda: Runs(uri, "space", request.node.name, tmp_path / "artifacts")


def start(trial=PARENT, **more):
    return {"trial": trial, "time_ms": 1000, **more}


def test_children_are_nested_below_the_study(open_runs, uri):
    runs = open_runs()
    parent, child = runs.id_of(PARENT, 0), runs.id_of("0000", 0)
    assert MlflowClient(uri).get_run(child).data.tags["mlflow.parentRunId"] == parent


def test_delivering_twice_changes_nothing(open_runs, uri, tmp_path):
    picture = tmp_path / "pictures"
    picture.mkdir()
    (picture / "samples.png").write_bytes(b"png")
    events = [
        start(params={"lr": 0.1}),
        start("0000", params={"width": 2}, tags={"scale": "smoke"}),
        start("0000", metrics={"fid": 3.0}, step=2),
        start("0000", metrics={"fid": 2.0}, step=4),
        start("0000", artifacts={"pictures": str(picture)}, status="FINISHED"),
    ]
    for _ in range(2):
        runs = open_runs()  # the second time as after a restart of the driver
        for event in events:
            runs.deliver(event)
    client = MlflowClient(uri)
    run = client.get_run(runs.id_of("0000", 0))
    history = client.get_metric_history(run.info.run_id, "fid")
    assert [(m.step, m.value) for m in history] == [(2, 3.0), (4, 2.0)]
    assert run.data.params == {"width": "2"}
    assert run.data.tags["scale"] == "smoke"
    assert run.info.status == "FINISHED"
    assert [a.path for a in client.list_artifacts(run.info.run_id, "pictures")] == ["pictures/samples.png"]
    assert len(client.search_runs([run.info.experiment_id], f"tags.study = '{runs.study}'")) == 2


def test_studies_of_a_space_share_an_experiment_and_no_runs(uri, tmp_path):
    first, second = (Runs(uri, "shared", name, tmp_path) for name in ("one", "two"))
    assert first.experiment_id == second.experiment_id
    assert first.id_of(PARENT, 0) != second.id_of(PARENT, 0)


def test_a_server_that_does_not_answer_is_one_sentence_without_its_password(tmp_path):
    with pytest.raises(InputError, match=r"tracking server at http://127\.0\.0\.1:1 does not answer") as error:
        Runs("http://someone:secret@127.0.0.1:1", "space", "s", None)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://user:pass@host:5000/x", "https://host:5000/x"),
        ("postgresql://u:p@ss@host/db", "postgresql://host/db"),
        ("sqlite:////tmp/mlflow.db", "sqlite:////tmp/mlflow.db"),
    ],
)
def test_credentials_are_not_shown(uri, shown):
    assert without_credentials(uri) == shown
