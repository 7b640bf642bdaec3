"""Paths of the user mean the same in every process, and metrics can be called after them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from study.config import StudyConfig
from study.metric_names import allowed
from study.planning import make_plan
from trainables import command_line
from trainables.errors import InputError
from trainables.measures.settings import DetectionSettings, set_name


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@dataclass(frozen=True)
class Files:
    file: Path | None = None
    storage_dir: Path = Path("outputs")


@pytest.mark.parametrize("form", [["--storage-dir=~/out"], ["--storage-dir", "~/out"]])
def test_a_home_that_the_shell_left_is_expanded(home, form):
    said = command_line.read(Files, "test", [*form, "--file=~/x"])
    assert said == Files(home / "x", home / "out")
    assert command_line.read(Files, "test", ["--storage-dir", "~nobody-here/x"]).storage_dir == Path("~nobody-here/x")


def test_a_file_that_a_setting_names_is_found_again_from_another_folder(home, tmp_path):
    Path("w.safetensors").write_bytes(b"")
    config = StudyConfig(space="inversion", scale="smoke", storage_dir=tmp_path, assignments=("weights=w.safetensors",))
    (said,) = make_plan(config).config.assignments
    assert said == f"weights={tmp_path / 'w.safetensors'}"
    Path("0.5").write_bytes(b"")  # a value is not taken for the file of this name
    config = StudyConfig(space="gradnorm", scale="smoke", storage_dir=tmp_path, assignments=("ema_decay=0.5",))
    assert make_plan(config).config.assignments == ("ema_decay=0.5",)


def test_all_paths_of_a_plan_are_absolute_and_no_link_is_resolved(home, tmp_path):
    (tmp_path / "real").mkdir()
    Path("link").symlink_to("real")
    plan = make_plan(
        StudyConfig(
            space="gradnorm",
            scale="smoke",
            storage_dir=Path("link/out"),
            ood_sets=("folder:link/../other/", "folder:~/x", "folder:other"),
        )
    )
    assert plan.storage == tmp_path / "link" / "out"
    assert plan.config.ood_sets == (f"folder:{tmp_path}/other", f"folder:{home}/x")
    settings = next(s for s in plan.protocols[plan.datasets[0]].measures if isinstance(s, DetectionSettings))
    assert settings.ood_sets == plan.config.ood_sets


def test_what_is_trained_on_is_refused_in_any_spelling(home):
    config = StudyConfig(space="gradnorm", scale="smoke", dataset="folder:faces", ood_sets=("folder:./x/../faces/",))
    with pytest.raises(InputError, match="that is what is trained on"):
        make_plan(config)


@pytest.mark.parametrize(
    ("name", "shown"), [("scrambled", "scrambled"), ("mnist5k:3", "mnist5k-3"), ("photo_patches", "photo_patches")]
)
def test_plain_sets_keep_their_names(name, shown):
    assert set_name(name) == shown


def test_metrics_of_any_folder_have_names_that_a_tracker_takes():
    folders = ["/x/y", "/x/(y)+,&@'#", "/" + "z" * 300, "/" + "z" * 301, os.fsdecode(b"/gr\xfc\xdf")]
    settings = DetectionSettings(ood_sets=tuple(f"folder:{folder}" for folder in folders))
    names = list(settings.metrics("mnist5k"))
    assert len(names) == 1 + 5 * len(folders)
    assert all(len(name) < 100 and allowed(name) == name for name in names)


def test_the_environment_names_the_tracking_server(home, monkeypatch):
    config = StudyConfig(space="toy_plane", scale="smoke")
    assert make_plan(config).tracking_uri.startswith("sqlite:///")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    assert make_plan(config).tracking_uri == "http://server:5000"
    assert make_plan(StudyConfig(space="toy_plane", scale="smoke", tracking_uri="http://other")).tracking_uri == (
        "http://other"
    )
