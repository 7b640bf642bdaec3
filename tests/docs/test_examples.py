"""The example for SkyPilot: the command in it is one of this project. SkyPilot's own parser (0.14.1) took the file."""

from __future__ import annotations

import shlex
from pathlib import Path

import yaml

from study.config import StudyConfig
from trainables.command_line import read

FILE = Path(__file__).parents[2] / "docs/examples/skypilot.yaml"


def test_the_task_runs_a_study_that_goes_on_after_it_lost_its_machine():
    task = yaml.safe_load(FILE.read_text())
    command = shlex.split(task["run"].replace("\\\n", " "))
    assert command[1:3] == ["-m", "study.launch"]
    config = read(StudyConfig, "test", command[3:])
    assert (config.name, config.resume) == (task["name"], "auto")
    assert str(config.storage_dir) in task["file_mounts"]
    assert task["resources"]["use_spot"]
