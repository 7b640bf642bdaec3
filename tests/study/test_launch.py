"""The command line without a study: what it shows, and what it refuses."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from PIL import Image

from search_spaces.toy_line import ToyLine
from study.config import AUTO, FORMAT, StudyConfig, to_arguments
from study.launch import main
from study.optuna_storage import create_study, open_storage
from study.plan import describe
from study.planning import make_plan
from study.runner import check_storage, open_study
from trainables.command_line import read
from trainables.data.download import DownloadError


def refused(capsys, *arguments):
    """The sentence with which the arguments are refused; nothing else is printed."""
    assert main(list(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    return captured.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--space", "gradnrm"], "unknown space 'gradnrm': did you mean 'gradnorm'?"),
        ([], "name a search space with --space"),
        (["--space", "gradnorm", "--scale", "laptp"], "unknown scale 'laptp': did you mean 'laptop'?"),
        (["--space", "gradnorm", "--dataset", "digit"], "unknown data set 'digit': did you mean 'digits'?"),
        (["--space", "gradnorm", "--dataset", "mnist:10"], "data set 'mnist' has no class '10'"),
        (["--space", "gradnorm", "--dataset", "folder:"], "name the folder of images, as in folder:PATH"),
        (
            ["--space", "gradnorm", "--dataset", "spiral"],
            "this space measures images, and data set 'spiral' has points",
        ),
        (["--space", "toy_spiral", "--dataset", "digits"], "'points' is for points, and data set 'digits' has images"),
        (["--space", "toy_plane", "--dataset", "spiral"], "each trial of space 'toy_plane' names its data set"),
        (["--space", "toy_plane", "--objectives", "modes"], "unknown objective 'modes'"),
        (["--space", "gradnorm", "--ood-sets", "mnits"], "unknown data set 'mnits': did you mean 'mnist'"),
        (["--space", "gradnorm", "--ood-sets", "spiral"], "this data set has points, name data sets of images"),
        (["--space", "gradnorm", "--ood-sets", "mnist5k"], "--ood-sets mnist5k: that is what is trained on"),
        (["--space", "gradnorm", "--inception-sha256", "ab"], "are for --features inception, not lenet"),
        (
            ["--space", "gradnorm", "--features", "inception", "--objectives", "fid_lenet"],
            "unknown objective 'fid_lenet': did you mean",
        ),
        (["--space", "labels", "--dataset", "spiral"], "this space measures images, and data set 'spiral' has points"),
        (["--space", "labels", "--dataset", "yale_faces"], "data set 'yale_faces' has no labels: choose one that has"),
        (["--space", "labels", "--set", "labels=2000"], "space 'labels' searches labels, choose another setting"),
        (["--space", "collapse", "--set", "batch_size=1"], "batch_size=1: Input should be greater than or equal to 2"),
        (["--trials", "0"], "--trials is 0: it must be at least 1."),
        (["--max-concurrent", "0"], "--max-concurrent is 0: it must be at least 1."),
        (["--seed", "-1"], "--seed is -1: it must be at least 0."),
        (["--cpus-per-trial", "0"], "--cpus-per-trial is 0.0: it must be above 0."),
        (["--gpus-per-trial", "-1"], "--gpus-per-trial is -1.0: it must be at least 0."),
        (["--gpus-per-trial", "1.5"], "--gpus-per-trial is 1.5: above 1 it must be a whole number."),
        (["--check"], "--check asks the nodes of a cluster: name it with --address."),
        (
            ["--cluster-grows"],
            "--cluster-grows is for a cluster with an autoscaler: say --address and --max-concurrent",
        ),
        (["--seeds", "0"], "--seeds is 0: it must be at least 1."),
        (["--space", "gradnorm", "--sampler", "tpf"], "unknown sampler 'tpf': did you mean 'tpe'"),
        (
            ["--space", "gradnorm", "--objectives", "fid_lenett"],
            "unknown objective 'fid_lenett': did you mean 'fid_lenet'",
        ),
        (
            ["--space", "gradnorm", "--objectives", "fid_lenet", "auroc", "--sampler", "cmaes"],
            "--sampler cmaes takes one objective only",
        ),
        (
            ["--space", "gradnorm", "--objectives", "fid_lenet", "auroc", "--scheduler", "asha"],
            "scheduler 'asha' ranks trials, and 2 objectives do not say which trial is worse",
        ),
        (["--space", "gradnorm", "--time-budget", "2"], "--time-budget 2: write a time with its units, as in 90m, 2h"),
        (["--space", "gradnorm", "--gpu-hours", "4"], "--gpu-hours: these trials use no GPU"),
        (["--space", "gradnorm", "--gpus-per-trial", "1", "--gpu-hours", "0"], "--gpu-hours is 0: it must be above 0."),
        (["--space", "gradnorm", "--until", "fid_lenett=3"], "unknown metric in --until 'fid_lenett': did you mean"),
        (
            ["--space", "gradnorm", "--until", "fid_lenet"],
            "--until fid_lenet: write METRIC=VALUE, as in",
        ),
        (["--resume", "nothing"], "there is no study 'nothing' to resume in"),
        (["--confirm", "nothing"], "there is no study 'nothing'"),
        (["--name", "../x"], "--name '../x': use up to 100 letters"),
        (["--space", "gradnorm", "--resume", "auto"], "--resume auto goes on with a study, or starts it: name it"),
        (["--resume", "auto", "--name", "new"], "name a search space with --space"),
        (["--space", "gradnorm", "--name", "auto"], "--name auto cannot be told from --resume auto"),
        (["--resume", "auto", "--name", "../x"], "--name '../x': use up to 100 letters"),
    ],
)
def test_bad_settings_are_one_sentence(capsys, tmp_path, arguments, sentence):
    assert sentence in refused(capsys, "--storage-dir", str(tmp_path / "out"), *arguments)
    assert not (tmp_path / "out").exists()


def test_a_name_that_is_taken(capsys, tmp_path):
    folder = tmp_path / "studies" / "mine"
    folder.mkdir(parents=True)
    sentence = refused(
        capsys, "--space", "gradnorm", "--scale", "smoke", "--name", "mine", "--storage-dir", str(tmp_path)
    )
    assert "'mine' exists already" in sentence
    assert "--name" in sentence
    assert list(folder.iterdir()) == []


def test_a_study_of_another_version(capsys, tmp_path):
    folder = tmp_path / "studies" / "old"
    folder.mkdir(parents=True)
    (folder / "study.json").write_text(json.dumps({"config": {"format": FORMAT - 1, "space": "gradnorm"}}))
    sentence = refused(capsys, "--resume", "old", "--storage-dir", str(tmp_path))
    assert "'old' was made by another version of this program" in sentence
    assert [path.name for path in folder.iterdir()] == ["study.json"]


def test_resume_auto_goes_on_with_a_study_that_is_there_and_takes_what_may_change(tmp_path):
    config = StudyConfig(space="gradnorm", scale="smoke", trials=3, name="s", resume=AUTO, storage_dir=tmp_path)
    new = make_plan(config)
    assert not new.is_resumed
    check_storage(new)
    new.folder.path.mkdir(parents=True)
    open_study(new)
    for again in (config, StudyConfig(name="s", resume=AUTO, storage_dir=tmp_path)):
        plan = make_plan(again)
        assert plan.is_resumed
        assert (plan.space.name, plan.trials) == ("gradnorm", 3)
        check_storage(plan)
    assert make_plan(replace(config, trials=5)).trials == 5


def test_resume_auto_refuses_another_study_of_that_name(capsys, tmp_path):
    plan = make_plan(StudyConfig(space="gradnorm", name="s", storage_dir=tmp_path))
    plan.folder.path.mkdir(parents=True)
    open_study(plan)
    sentence = refused(capsys, "--space", "ablation", "--name", "s", "--resume", "auto", "--storage-dir", str(tmp_path))
    assert "study 's' was started with --space gradnorm, it cannot go on with --space ablation" in sentence


def test_resume_auto_starts_what_an_earlier_driver_had_not_got_started(tmp_path):
    """It was killed before it had enqueued the first trials, and before it wrote `study.json`."""
    plan = make_plan(StudyConfig(space="gradnorm", name="s", resume=AUTO, storage_dir=tmp_path))
    plan.folder.path.mkdir(parents=True)
    (plan.folder.path / "driver.lock").touch()
    create_study("s", open_storage(plan.optuna_storage), ("minimize", "maximize"), ToyLine("smoke").first_trials())
    again = make_plan(plan.config)
    assert not again.is_resumed
    check_storage(again)
    study = open_study(again)
    assert len(study.directions) == 1
    assert [trial.system_attrs["fixed_params"] for trial in study.trials] == [
        dict(first.params) for first in again.space.first_trials()
    ]


def test_a_config_and_its_arguments_say_the_same(tmp_path):
    config = StudyConfig(
        space="gradnorm",
        dataset="folder:/data/my faces; rm -rf $HOME",
        objectives=("fid_lenet_best", "auroc_best"),
        ood_sets=("digits",),
        features="lenet",
        gpus_per_trial=0.0,
        cpus_per_trial=0.5,
        trials=7,
        storage_dir=tmp_path / "it's here",
        dry_run=True,
        list_all=True,
    )
    arguments = to_arguments(config)
    assert read(StudyConfig, "test", arguments) == config
    assert to_arguments(StudyConfig()) == []


@pytest.mark.parametrize("url", ["sqlite:////no/such/folder/optuna.db", "postgresql://someone:secret@127.0.0.1:1/x"])
def test_a_storage_url_that_does_not_answer(capsys, tmp_path, url):
    sentence = refused(
        capsys, "--space", "gradnorm", "--scale", "smoke", "--optuna-storage", url, "--storage-dir", str(tmp_path)
    )
    assert "does not answer" in sentence
    assert "--optuna-storage" in sentence
    assert "secret" not in sentence
    assert not (tmp_path / "studies").exists()
    assert not (tmp_path / "mlflow.db").exists()


def test_early_stopping_is_the_default_where_trials_are_ranked_by_one_objective(tmp_path):
    def scheduler(**settings):
        return make_plan(StudyConfig(storage_dir=tmp_path, **settings)).scheduler

    assert scheduler(space="gradnorm") == "asha"
    assert scheduler(space="gradnorm", scheduler="median") == "median"
    assert scheduler(space="gradnorm", objectives=("fid_lenet_best", "auroc_best")) == "none"
    assert scheduler(space="ablation") == "none"
    assert scheduler(space="step_ratio") == "none"  # a claim says that some of its trials fail
    assert scheduler(space="step_ratio", scheduler="asha") == "asha"


def test_the_paper_scales_measure_with_inception_unless_what_was_published_is_a_classifiers(tmp_path):
    def plan(**settings):
        return make_plan(StudyConfig(storage_dir=tmp_path, **settings))

    assert plan(space="gradnorm").objectives == ("fid_lenet_best",)
    paper = plan(space="gradnorm", scale="paper")
    assert paper.objectives == ("fid_inception_best",)
    assert paper.protocols["mnist"].measures[0].features == "inception"
    assert plan(space="gradnorm", scale="paper", features="lenet").objectives == ("fid_lenet_best",)
    assert plan(space="table51", scale="paper").objectives == ("is_lenet_best",)
    assert plan(space="table51_cifar10", scale="paper").objectives == ("is_inception_best",)
    assert {claim.metric for claim in plan(space="depth", scale="paper").claims} == {"fid_inception_best"}
    assert plan(space="toy_spiral", scale="paper").objectives == ("energy",)


def test_a_pair_of_data_sets_is_turned_round(tmp_path):
    there = StudyConfig(space="gradnorm", dataset="mnist5k", ood_sets=("digits",), storage_dir=tmp_path)
    back = StudyConfig(space="gradnorm", dataset="digits", ood_sets=("mnist5k",), storage_dir=tmp_path)
    for config, objective in ((there, "auroc_digits"), (back, "auroc_mnist5k")):
        plan = make_plan(replace(config, objectives=(objective,)))
        assert describe(plan)["measures"][-1]["ood_sets"] == list(config.ood_sets)


def test_a_storage_folder_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").touch()
    sentence = refused(
        capsys, "--space", "gradnorm", "--scale", "smoke", "--storage-dir", str(tmp_path / "file" / "out")
    )
    assert "cannot write to the storage folder" in sentence
    assert "--storage-dir" in sentence


def test_a_tracking_server_that_does_not_answer(capsys, tmp_path):
    uri = "http://127.0.0.1:1"
    sentence = refused(
        capsys, "--space", "gradnorm", "--scale", "smoke", "--tracking-uri", uri, "--storage-dir", str(tmp_path)
    )
    assert uri in sentence
    assert "does not answer" in sentence
    assert not (tmp_path / "studies").exists()


def test_an_address_where_nothing_listens(capsys, tmp_path):
    sentence = refused(
        capsys, "--space", "gradnorm", "--scale", "smoke", "--address", "127.0.0.1:1", "--storage-dir", str(tmp_path)
    )
    assert "there is no Ray cluster at 127.0.0.1:1" in sentence
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_that_is_absent_offline(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("trainables.data.idx.download", offline)
    sentence = refused(
        capsys, "--space", "gradnorm", "--scale", "smoke", "--dataset", "kmnist", "--storage-dir", str(tmp_path)
    )
    assert str(tmp_path / "cache/downloads/KMNIST/raw") in sentence
    assert "train-images-idx3-ubyte" in sentence
    assert not (tmp_path / "studies").exists()


def offline(*arguments):
    raise DownloadError("no route to host")


def test_images_that_no_network_of_the_space_can_make(capsys, tmp_path):
    for label in "ab":
        (tmp_path / "images" / label).mkdir(parents=True)
        for n in range(8):
            Image.new("L", (30, 30), 10 * n).save(tmp_path / "images" / label / f"{n}.png")
    of = ("--space", "table51_cifar10", "--scale", "smoke", "--dataset", f"folder:{tmp_path / 'images'}")
    message = refused(capsys, *of, "--storage-dir", str(tmp_path / "out"))
    assert "is for images whose sides divide by 8, and the data set's examples are 30x30" in message
    assert not (tmp_path / "out" / "studies").exists()


def test_weights_that_are_not_there(capsys, tmp_path):
    of = ("--space", "inversion", "--scale", "smoke", "--set", f"weights={tmp_path / 'best.safetensors'}")
    message = refused(capsys, *of, "--storage-dir", str(tmp_path / "out"))
    assert "there is no file or folder" in message
    assert not (tmp_path / "out" / "studies").exists()


def test_list_shows_spaces_scales_and_data_sets(capsys):
    assert main(["--list"]) == 0
    shown = capsys.readouterr().out
    for name in (
        "80 trials of 800 rounds on 10 data sets from mnist5k:0 to mnist5k:9",
        "10 trials of 384 rounds on mnist5k and fashion5k",
        "6 trials of 4000 rounds on line_-2_0.5, line_3_0.5 and line_3_0.2",
        "gradnorm",
        "ablation",
        "smoke",
        "laptop",
        "paper",
        "digits",
        "mnist5k",
        "fashion_mnist",
        "yale_faces",
        "folder:PATH",
        "NAME:CLASS",
    ):
        assert name in shown


def test_dry_run_shows_five_configurations_and_starts_nothing(capsys, tmp_path):
    assert main(["--space", "gradnorm", "--dry-run", "--storage-dir", str(tmp_path / "out"), "--name", "x"]) == 0
    shown = capsys.readouterr().out
    plan, _ = json.JSONDecoder().raw_decode(shown)
    assert plan["name"] == "x"
    assert plan["dataset"] == "mnist5k"
    configs = [json.loads(line) for line in shown.splitlines() if line.startswith("  {")]
    assert len(configs) == 5
    assert configs[0]["lambda_gnorm"] == 50
    assert len({json.dumps(config) for config in configs}) == 5
    assert not (tmp_path / "out").exists()


def test_a_folder_is_shown_with_its_whole_path(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["--space", "gradnorm", "--dry-run", "--dataset", "folder:faces"]) == 0
    plan, _ = json.JSONDecoder().raw_decode(capsys.readouterr().out)
    assert plan["dataset"] == f"folder:{tmp_path / 'faces'}"


def test_a_folder_that_was_copied_from_another_study_is_refused(capsys, tmp_path):
    plan = make_plan(StudyConfig(space="gradnorm", scale="smoke", name="a", storage_dir=tmp_path))
    plan.folder.path.mkdir(parents=True)
    open_study(plan)
    shutil.copytree(plan.folder.path, tmp_path / "studies" / "b")
    before = plan.folder.journal.read_bytes()
    sentence = refused(capsys, "--resume", "b", "--trials", "9", "--storage-dir", str(tmp_path))
    assert "was copied or renamed from study 'a'" in sentence
    assert "--config" in sentence
    assert plan.folder.journal.read_bytes() == before


@pytest.mark.parametrize("content", ["", "{", "[]", '{"config": 3}'])
def test_a_damaged_study_json_is_one_sentence(capsys, tmp_path, content):
    folder = tmp_path / "studies" / "s"
    folder.mkdir(parents=True)
    (folder / "study.json").write_text(content)
    assert "is damaged" in refused(capsys, "--resume", "s", "--storage-dir", str(tmp_path))
