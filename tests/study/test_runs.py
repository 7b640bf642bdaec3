"""What is written to MLflow and read from it, against a real store."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import optuna
import pandas as pd
import pytest
import sqlalchemy
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from PIL import Image

from study import events, optuna_storage, runs
from study.config import StudyConfig
from study.events import PARENT
from study.optuna_storage import create_study
from study.planning import make_plan
from study.runs import PATIENCE, Runs, read
from study.spool import Spool
from study.trial_specs import distributions_of, make_spec
from tests.integration.damage import lock
from tests.systems.until import until
from trainables.credentials import without_credentials
from trainables.errors import InputError
from trainables.measures.frames import frame_path
from trainables.preparation import Preparation


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


def test_a_locked_file_is_waited_for(open_runs, uri, monkeypatch):
    """SQLite's own patience ends after five seconds."""
    open_runs()
    file = Path(uri.removeprefix("sqlite:///"))
    thread = lock(file, 6.0)
    open_runs()
    thread.join()
    monkeypatch.setattr(optuna_storage, "LONGEST_LOCK", 0.1)
    thread = lock(file, 1.0)
    with pytest.raises(InputError, match="is locked by another program: end that program, or try again later"):
        open_runs()
    thread.join()


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


def record(monkeypatch, client, method, asked):
    """Keep in `asked` that a method of MLflow's client was called."""
    call = getattr(client, method)
    monkeypatch.setattr(client, method, lambda *said, **more: asked.append(method) or call(*said, **more))


def test_events_that_are_delivered_together_say_the_same_in_fewer_requests(uri, tmp_path, monkeypatch):
    told = [
        start("0000", name="0000 by hand", params={"lr": 0.1}, tags={"scale": "smoke", "a": 1}, status="RUNNING"),
        start("0000", metrics={"fid": 3.0, "loss": 1.0}, step=2, tags={"a": 2}) | {"time_ms": 2000},
        start("0000", metrics={"fid": 2.0}, step=4, inputs=[{"name": "x", "digest": "d", "context": "train"}]),
        start("0000", metrics={"cost/cpu_hours": 0.5}, step=4, status="FINISHED") | {"time_ms": 3000},
    ]
    asked, found = {}, {}
    for name, parts in (("one by one", [[event] for event in told]), ("together", [told]), ("twice", [told, told])):
        runs = Runs(uri, "merged", name, tmp_path)
        asked[name] = []
        for method in ("create_run", "log_batch", "set_terminated", "update_run"):
            record(monkeypatch, runs.client, method, asked[name])
        for part in parts:
            runs.deliver(*part)
        assert runs.refused == []
        client = MlflowClient(uri)
        run = client.get_run(runs.id_of("0000", 0))
        curves = {
            metric: {
                (value.step, value.value, value.timestamp)
                for value in client.get_metric_history(run.info.run_id, metric)
            }
            for metric in run.data.metrics
        }
        tags = {name: value for name, value in run.data.tags.items() if name not in ("study", "mlflow.parentRunId")}
        info = run.info.run_name, run.info.status, run.info.start_time, run.info.end_time
        found[name] = run.data.params, run.data.metrics, tags, info, curves, len(run.inputs.dataset_inputs)
    assert found["together"] == found["one by one"] == found["twice"]
    assert asked["together"] == ["create_run", "create_run", "log_batch", "set_terminated"]
    assert len(asked["one by one"]) == 7


def test_a_setting_that_is_said_twice_keeps_its_first_value(open_runs, uri):
    runs = open_runs()
    runs.deliver(start("0000", params={"lr": 1, "width": 2}), start("0000", params={"lr": 2, "width": 2}))
    assert MlflowClient(uri).get_run(runs.id_of("0000", 0)).data.params == {"lr": "1", "width": "2"}
    assert len(runs.refused) == 1


def test_a_new_run_is_running_without_a_further_request_and_a_killed_one_runs_again(open_runs, monkeypatch):
    runs = open_runs()
    updated = []
    update_run = runs.client.update_run
    monkeypatch.setattr(runs.client, "update_run", lambda *said: updated.append(said) or update_run(*said))
    found = []
    for status in ("RUNNING", "KILLED", "RUNNING"):
        runs.deliver(start("0000", status=status))
        found.append((runs.client.get_run(runs.id_of("0000", 0)).info.status, len(updated)))
    assert found == [("RUNNING", 0), ("KILLED", 0), ("RUNNING", 1)]


def test_frames_data_sets_and_a_model_arrive_once(open_runs, uri, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for step in (2, 4):
        Image.new("L", (300, 40), step).save(frame_path(frames, "samples", step))
    (tmp_path / "best.safetensors").write_bytes(b"weights")
    told = [
        start("0000", params={"lr": 0.0, "searched.lr": 0.1, "width": 2}, name="0000 by hand"),
        start("0000", inputs=[{"name": name, "digest": "d" * 36, "context": name} for name in ("train", "ood")]),
        *(start("0000", metrics={"fid": 3.0, "ood/auroc_x": 0.5}, step=step, frames=str(frames)) for step in (2, 4)),
        start("0000", model=str(tmp_path / "best.safetensors"), status="FINISHED"),
    ]
    for _ in range(2):
        runs = open_runs()
        for event in told:
            runs.deliver(event)
        assert runs.refused == []
    runs.deliver(start("0000", model=str(tmp_path / "best.safetensors")) | {"time_ms": 2000})
    client = MlflowClient(uri)
    run = client.get_run(runs.id_of("0000", 0))
    assert run.info.run_name == "0000 by hand"
    assert run.data.tags["mlflow.loggedImages"] == "True"
    images = [image.path for image in client.list_artifacts(run.info.run_id, "images")]
    assert len(images) == 4
    for step in (2, 4):
        pattern = rf"images/samples\+step\+{step}\+timestamp\+1000\+[0-9a-f-]{{36}}"
        assert sum(bool(re.fullmatch(pattern + r"\.png", image)) for image in images) == 1
        assert sum(bool(re.fullmatch(pattern + r"\+compressed\.webp", image)) for image in images) == 1
    assert {i.dataset.name: i.tags[0].value for i in run.inputs.dataset_inputs} == {"train": "train", "ood": "ood"}
    (model,) = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
    assert (model.status, model.params) == ("READY", {"lr": "0.0"})
    assert [(m.key, m.value, m.step) for m in model.metrics] == [("fid", 3.0, 4)]
    assert [file.path for file in client.list_logged_model_artifacts(model.model_id)] == ["best.safetensors"]
    assert [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "fid")] == [(2, 3.0), (4, 3.0)]


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


# --- events, and what is read of them ---------------------------------------------------------------------------------


@pytest.fixture
def plan(uri, tmp_path, request):
    config = StudyConfig(space="toy_plane", scale="smoke", name=request.node.name, storage_dir=tmp_path)
    return make_plan(replace(config, tracking_uri=uri, seeds=2))


@pytest.fixture
def study(plan):
    """A study of two trials, as its driver tells it; the second fails."""
    runs = Runs(plan.tracking_uri, "read", plan.name, plan.artifacts)
    preparations = {
        name: Preparation(protocol, {"energy_noise": 3.0 + n}, ())
        for n, (name, protocol) in enumerate(plan.protocols.items())
    }
    tags = events.study_tags(plan, preparations)
    told = [events.study_started(plan, preparations, tags)]
    optuna_study = create_study("s", optuna.storages.InMemoryStorage(), plan.directions, plan.space.first_trials())
    specs = [make_spec(plan, optuna_study.ask(), plan.protocols) for _ in range(2)]
    told += [events.trial_started(spec, tags) for spec in specs]
    for round_number, energy in ((4, 1.5), (2, 2.5)):
        result = {"round": round_number, "energy": energy, "reported_ms": 5, "config": {}, "time_total_s": 3.0}
        told.append(events.trial_reported(specs[0], result | {"diverged": math.nan, "per_seed": [{"energy": 1.0}]}))
    folder = plan.folder.trial(0)
    events.keep_per_seed(folder, [{"energy": 1.0, "reported_ms": 5}, None, {"energy": 2.0, "boundary": math.nan}])
    told.append(events.trial_ended(0, folder, None, {"cpu_hours": 0.5}, 4))
    told.append(events.trial_ended(1, plan.folder.trial(1), "loss became nan", {"cpu_hours": 0.25}))
    told.append(events.trial_compared(0, True))
    told.append(events.study_ended(0, plan.folder.path / "none", "FINISHED", {"cpu_hours": 0.75}))
    for event in told:
        runs.deliver(json.loads(json.dumps(event)))
    assert runs.refused == []
    return specs


def test_what_is_written_is_read(study, plan):
    recorded = read(plan.tracking_uri, plan.name)
    assert recorded.study["status"] == "FINISHED"
    assert recorded.study["tags.best_trial"] == "0000"
    assert recorded.study["params.objectives"] == str(list(plan.objectives))
    assert recorded.study["params.seeds"] == "2"
    assert recorded.study["params.protocol.swiss_roll.points.num_samples"] == str(
        plan.space.scale.measures[0].num_samples
    )
    references = recorded.references.set_index(["dataset", "name"])["value"]
    assert references["swiss_roll", "energy_noise"] == 3.0
    assert references["eight_gaussians", "energy_noise"] == 4.0
    assert [column for column in recorded.study.index if column.startswith("metrics.")] == ["metrics.cpu_hours"]
    assert [*recorded.trials["metrics.cpu_hours"], recorded.study["metrics.cpu_hours"]] == [0.5, 0.25, 0.75]
    assert list(recorded.trials.index) == [0, 1]
    assert list(recorded.trials["status"]) == ["FINISHED", "FAILED"]
    assert recorded.trials["tags.failure"][1] == "loss became nan"
    assert recorded.trials["tags.mlflow.note.content"][1] == "Failed: loss became nan"
    assert recorded.study["tags.objective"] == "energy"
    assert recorded.study["tags.direction"] == "minimize"
    for spec in study:
        row = recorded.trials.loc[spec.number]
        assert row["tags.first_trial"] == spec.first_trial == plan.space.first_trials()[spec.number].name
        assert {name: row[f"params.searched.{name}"] for name in spec.params} == {
            name: str(value) for name, value in spec.params.items()
        }
        assert row["params.rounds"] == str(plan.rounds)
        assert row["tags.seed"] == str(spec.config["seed"])
        assert row["tags.mlflow.runName"] == f"{spec.number:04d} {spec.first_trial}"
        assert row["tags.protocol"] == spec.protocol.sha256
    curves = recorded.curves(["energy"])
    assert curves.values.tolist() == [[0, "energy", 2, 2.5], [0, "energy", 4, 1.5]]
    assert set(recorded.curves()["metric"]) == {"energy", "round", "cpu_hours"}
    assert recorded.per_seed.values.tolist() == [[0, 0, "energy", 1.0], [0, 2, "energy", 2.0]]


def test_runs_that_do_not_fit_into_one_answer_are_read(study, plan, monkeypatch):
    together = read(plan.tracking_uri, plan.name)
    monkeypatch.setattr(runs, "RUNS_AT_ONCE", 1)
    one_by_one = read(plan.tracking_uri, plan.name)
    assert len(one_by_one.trials) > 1
    pd.testing.assert_frame_equal(one_by_one.trials, together.trials)


def test_only_the_curves_that_are_asked_for_are_read(study, plan):
    assert set(read(plan.tracking_uri, plan.name).curves(["energy"])["metric"]) == {"energy"}


def test_a_study_that_mlflow_does_not_know(uri):
    with pytest.raises(InputError, match="holds no study 'nothing': check its name"):
        read(uri, "nothing")
    with pytest.raises(InputError, match="does not answer") as error:
        read("http://someone:secret@127.0.0.1:1", "s")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("place", ["/a/folder", "file:///a/folder", "gopher://someone:secret@host"])
def test_a_place_where_mlflow_keeps_no_runs(place):
    with pytest.raises(InputError, match="MLflow keeps no runs in ") as error:
        read(place, "s")
    assert "secret" not in str(error.value)


def test_params_of_a_resumed_study_are_not_told_again(plan):
    preparations = {name: Preparation(protocol, {}, ()) for name, protocol in plan.protocols.items()}
    assert events.study_started(replace(plan, is_resumed=True), preparations, {})["params"] == {}


# --- what a server refuses --------------------------------------------------------------------------------------------


def test_a_refused_value_takes_no_others_with_it(open_runs, uri):
    runs = open_runs()
    runs.deliver(start(params={"lr": 1}))
    runs.deliver(start(params={"lr": 2, "width": 3}, metrics={"fid": 2.0}, tags={"a": "b"}))
    run = MlflowClient(uri).get_run(runs.id_of(PARENT, 0))
    assert run.data.params == {"lr": "1", "width": "3"}
    assert run.data.metrics == {"fid": 2.0}
    assert run.data.tags["a"] == "b"
    assert len(runs.refused) == 1


def test_odd_long_and_many_names_are_taken_and_stay_different(open_runs, uri):
    names = [
        "auroc_folder:/x/",
        "a(b)+c,d&e@'#",
        "ä" * 300,
        "x" * 240 + "1",
        "x" * 240 + "2",
        "../up",
        "a//b",
        "a b",
        "\udce4",
    ]
    runs = open_runs()
    runs.deliver(start(metrics=dict.fromkeys([*names, "fid", *(f"m{n}" for n in range(1100))], 1.0)))
    assert runs.refused == []
    found = MlflowClient(uri).get_run(runs.id_of(PARENT, 0)).data.metrics
    assert len(found) == len(names) + 1101
    assert "fid" in found


def test_an_environment_that_logs_asynchronously_loses_nothing(open_runs, uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "true")
    runs = open_runs()
    runs.deliver(start(metrics={"fid": 2.0}, params={"lr": 1}))
    run = MlflowClient(uri).get_run(runs.id_of(PARENT, 0))
    assert (run.data.metrics, run.data.params) == ({"fid": 2.0}, {"lr": "1"})


def test_a_deleted_experiment_is_a_sentence_at_the_start(uri, tmp_path):
    client = MlflowClient(uri)
    client.delete_experiment(Runs(uri, "gone", "s", tmp_path).experiment_id)
    with pytest.raises(InputError, match=r"'gone' .* has been deleted.*mlflow experiments restore"):
        Runs(uri, "gone", "s", tmp_path)


def test_runs_that_were_deleted_hold_up_no_others(open_runs, uri):
    runs = open_runs()
    for trial in (PARENT, "0000", "0001"):
        runs.deliver(start(trial))
    for trial in (PARENT, "0000"):
        MlflowClient(uri).delete_run(runs.id_of(trial, 0))
    for trial in (PARENT, "0000", "0001", "0002"):
        runs.deliver(start(trial, metrics={"fid": 1.0}, status="FINISHED"))
    assert runs.refused
    assert MlflowClient(uri).get_run(runs.id_of("0001", 0)).data.metrics == {"fid": 1.0}
    again = open_runs()
    again.deliver(start("0000", metrics={"fid": 3.0}))  # the parent's event comes later, or never
    run = MlflowClient(uri).get_run(again.id_of("0000", 0))
    assert run.data.metrics == {"fid": 3.0}
    assert run.data.tags["mlflow.parentRunId"] == again.id_of(PARENT, 0)
    assert again.refused == []


def test_what_the_server_can_never_take_is_left_out_and_what_follows_arrives(uri, tmp_path):
    """The database answers 500 for one metric, again and again; while it does so for all, nothing is left out."""
    runs = Runs(uri, "broken", "s", tmp_path)
    runs.deliver(start("0000"))
    broken = start("0000", metrics={"bad": 1.0, "good": 2.0}, step=1)
    engine = sqlalchemy.create_engine(uri)
    refuse = "CREATE TRIGGER {0} BEFORE {1} BEGIN SELECT abs(-9223372036854775807 - 1); END"
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(refuse.format("bad", "INSERT ON metrics WHEN NEW.key = 'bad'")))
        for kind in ("INSERT", "UPDATE"):
            connection.execute(sqlalchemy.text(refuse.format(f"all_{kind}", f"{kind} ON experiment_tags")))
    try:
        for _ in range(PATIENCE + 2):
            with pytest.raises(MlflowException):
                runs.deliver(broken)
        with engine.begin() as connection:
            for kind in ("INSERT", "UPDATE"):
                connection.execute(sqlalchemy.text(f"DROP TRIGGER all_{kind}"))
        spool = Spool(tmp_path / "spool", runs.deliver, retry_seconds=0.01)
        spool.put(broken)
        spool.put(start("0001", metrics={"fid": 3.0}, status="FINISHED"))
        assert spool.close(60) == 0
    finally:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("DROP TRIGGER bad"))
        engine.dispose()
    found = {trial: MlflowClient(uri).get_run(runs.id_of(trial, 0)).data.metrics for trial in ("0000", "0001")}
    assert found == {"0000": {"good": 2.0}, "0001": {"fid": 3.0}}
    assert len(runs.refused) == 1


def test_a_tag_that_is_refused_takes_neither_its_run_nor_other_tags_with_it(uri, tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    runs = Runs(uri, "refusing", "s", tmp_path)
    engine = sqlalchemy.create_engine(uri)
    with engine.begin() as connection:
        when = "BEFORE INSERT ON tags WHEN NEW.key = 'bad'"
        connection.execute(
            sqlalchemy.text(f"CREATE TRIGGER bad {when} BEGIN SELECT abs(-9223372036854775807 - 1); END")
        )
    engine.dispose()
    spool = Spool(tmp_path / "spool", runs.deliver, retry_seconds=0.01)
    spool.put(start("0000", tags={"good": "a", "bad": "b"}, metrics={"fid": 1.0}))
    until(lambda: runs.refused)
    assert spool.close(60) == 0
    (run,) = MlflowClient(uri).search_runs([runs.experiment_id], "tags.trial = '0000'")
    assert (run.data.tags["good"], run.data.metrics) == ("a", {"fid": 1.0})
    assert "bad" not in run.data.tags
    assert [reason.partition(":")[0] for reason in runs.refused] == ["tag bad"]


def test_artifacts_that_cannot_be_written_hold_up_nothing(uri, tmp_path):
    (tmp_path / "picture.png").write_bytes(b"png")
    (tmp_path / "file").write_bytes(b"")
    runs = Runs(uri, "no artifacts", "s", tmp_path / "file" / "artifacts")
    runs.deliver(start(artifacts={"p": str(tmp_path / "picture.png")}, metrics={"fid": 1.0}, status="FINISHED"))
    assert len(runs.refused) == 1
    run = MlflowClient(uri).get_run(runs.id_of(PARENT, 0))
    assert (run.data.metrics, run.info.status) == ({"fid": 1.0}, "FINISHED")


def test_artifacts_of_a_folder_that_was_moved_go_where_it_is_now(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"png")
    event = start(artifacts={"p": str(tmp_path / "picture.png")})
    before, after = tmp_path / "before", tmp_path / "after"
    for folder in (before, after):
        if folder == after:
            before.rename(after)
            before.write_bytes(b"")  # it cannot be made again
        folder.mkdir(exist_ok=True)
        for space in ("one", "two"):
            # A study of each: MLflow's client remembers for as long as it lives where the artifacts of a run are.
            runs = Runs(f"sqlite:///{folder}/mlflow.db", space, folder.name, folder / "mlartifacts" / space)
            runs.deliver(event)
            assert runs.refused == []
            assert runs.client.list_artifacts(runs.id_of(PARENT, 0))[0].path == "picture.png"
            assert list((folder / "mlartifacts" / space).rglob("picture.png"))
    of_before = Runs(f"sqlite:///{after}/mlflow.db", "one", "before", after / "mlartifacts" / "one").id_of(PARENT, 0)
    assert MlflowClient(f"sqlite:///{after}/mlflow.db").get_run(of_before).info.artifact_uri == (
        f"{(after / 'mlartifacts' / 'one').as_uri()}/{of_before}/artifacts"
    )


def test_the_settings_of_two_measures_of_a_kind_are_told_apart(tmp_path):
    plan = make_plan(StudyConfig(space="gradnorm", scale="laptop", name="two", storage_dir=tmp_path))
    preparations = {name: Preparation(protocol, {}, ()) for name, protocol in plan.protocols.items()}
    params = events.study_started(plan, preparations, {})["params"]
    assert params["protocol.fidelity.features"] == "lenet"
    assert params["protocol.fidelity_2.features"] == "efficientnet"
    assert params["protocol.fidelity_2.num_samples"] == 512


def test_searched_numbers_are_metrics_on_the_scale_that_was_searched(tmp_path):
    plan = make_plan(StudyConfig(space="gradnorm", rounds=10, storage_dir=tmp_path))
    optuna_study = create_study("s", optuna.storages.InMemoryStorage(), plan.directions, [])
    off = distributions_of(plan.space)["lambda_tv"].low
    params = {"image_lr": 0.1, "lambda_tv": 2 * off}  # in the decade that means "off"
    optuna_study.enqueue_trial(params)
    event = events.trial_started(make_spec(plan, optuna_study.ask(), plan.protocols), {})
    assert event["tags"]["precision"] == "fp32"
    metrics = event["metrics"]
    assert metrics["searched/image_lr"] == 0.1
    assert metrics["searched/log10_image_lr"] == pytest.approx(-1)
    assert metrics["searched/lambda_tv"] == 0.0
    assert metrics["searched/log10_lambda_tv"] == pytest.approx(math.log10(off)), "the same for all that are off"
    assert "image_lr 0.1" in event["tags"]["setting"]
    assert "lambda_tv off" in event["tags"]["setting"]
