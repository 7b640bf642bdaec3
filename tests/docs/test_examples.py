"""The examples: their commands are ones of this project. SkyPilot's own parser (0.14.1) took the file for it."""

from __future__ import annotations

import math
import shlex
from pathlib import Path

import yaml

from study.config import StudyConfig
from study.planning import make_plan
from trainables.command_line import read
from trainables.data.sources import source_of

EXAMPLES = Path(__file__).parents[2] / "docs/examples"


def test_the_task_runs_a_study_that_goes_on_after_it_lost_its_machine():
    task = yaml.safe_load((EXAMPLES / "skypilot.yaml").read_text())
    command = shlex.split(task["run"].replace("\\\n", " "))
    assert command[1:3] == ["-m", "study.launch"]
    config = read(StudyConfig, "test", command[3:])
    assert (config.name, config.resume) == (task["name"], "auto")
    assert str(config.storage_dir) in task["file_mounts"]
    assert task["resources"]["use_spot"]


def test_a_part_of_a_space_is_a_space():
    space = f"{EXAMPLES / 'hundred_labels.py'}:HundredLabels"
    plan = make_plan(StudyConfig(space=space))
    configs = [plan.space.suggestion(point).config for point in plan.space.points()]
    assert [config["label_draw"] for config in configs] == list(range(10))
    assert {config["labels"] for config in configs} == {100}
    assert (len(configs), list(plan.protocols), list(plan.claims)) == (10, ["mnist5k"], [])


def test_a_study_may_bring_its_space_and_its_data_sets_in_one_file():
    plan = make_plan(StudyConfig(space=f"{EXAMPLES / 'rings.py'}:Rings"))
    points = {name: source_of(name).points for name in plan.protocols}
    radii = {name: {round(math.hypot(*centre), 9) for centre in each.centres} for name, each in points.items()}
    assert {(*radii[name], points[name].std) for name in points} == {
        (1.0, 0.02), (2.0, 0.02), (4.0, 0.02), (2.0, 0.1), (2.0, 0.3)
    }  # fmt: skip
    assert {len(each.centres) for each in points.values()} == {8}
