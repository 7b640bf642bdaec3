"""Searches in simulated time: the order of events, the nearest recorded trial, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from search_spaces.gradnorm import GradNorm
from study.config import StudyConfig
from study.curves import Curve, Curves, load_curves, read_curves
from study.optuna_storage import METRICS, create_study, open_storage
from study.plan import study_json
from study.planning import make_plan
from study.simulate import main
from study.simulation import Search, best_so_far, run

SPACE = {"rate": FloatDistribution(1e-3, 1e-1, log=True), "kind": CategoricalDistribution(("a", "b"))}


def curves(*ends, seconds=10.0, rate=None):
    """Trials that report after each of nine rounds and end with these values; their rates rise."""
    points = [10 ** (-3 + 2 * n / max(1, len(ends) - 1)) for n in range(len(ends))]
    return Curves(
        study="recorded",
        objective="fid",
        direction="minimize",
        space=SPACE,
        curves=tuple(
            Curve(params={"rate": at, "kind": "a"}, values={r: end * 9 / r for r in range(1, 10)}, seconds=seconds)
            for at, end in zip(points, ends, strict=True)
        ),
    )


class Finite:
    """Suggests as many trials as there are numbers of seconds."""

    def __init__(self, *seconds):
        self.left = list(seconds)
        self.told = []

    def suggest(self, trial_id):
        return {"seconds": self.left.pop(0)} if self.left else "FINISHED"

    def on_trial_result(self, trial_id, report):
        self.told.append((trial_id, report["n"]))

    def on_trial_complete(self, trial_id, report):
        self.told.append((trial_id, "end"))


class Always:
    """Stops nothing."""

    def on_trial_add(self, controller, trial): ...

    def on_trial_result(self, controller, trial, report):
        return "CONTINUE"

    def on_trial_complete(self, controller, trial, report): ...


class Twice:
    """Reports twice."""

    def __init__(self, config):
        self.seconds, self.n = config["seconds"], 0

    def advance(self):
        self.n += 1
        return {"n": self.n, "done": self.n == 2}, self.seconds


def test_events_come_in_the_order_of_their_time():
    searcher = Finite(10, 3, 1)
    events = [(name[-1], at, report["n"]) for name, at, report in run(searcher, Always(), Twice, at_once=2)]
    # The third trial begins when the second one has ended, at 6.
    assert events == [("1", 3, 1), ("1", 6, 2), ("2", 7, 1), ("2", 8, 2), ("0", 10, 1), ("0", 20, 2)]
    assert [trial[-1] for trial, _ in searcher.told] == ["1", "1", "2", "2", "0", "0"]


def test_the_nearest_trial_is_near_on_the_scale_of_each_parameter():
    recorded = curves(1.0, 2.0, 3.0)  # rates 0.001, 0.01, 0.1
    assert recorded.nearest({"rate": 0.02, "kind": "a"}).values[9] == 2.0
    assert recorded.nearest({"rate": 0.04, "kind": "a"}).values[9] == 3.0
    other = replace(recorded.curves[2], params={"rate": 1e-3, "kind": "b"})
    recorded = replace(recorded, curves=(*recorded.curves[:2], other))
    assert recorded.nearest({"rate": 0.001, "kind": "b"}).params["kind"] == "b"
    assert recorded.nearest({"rate": 0.1, "kind": "a"}).params == {"rate": pytest.approx(0.01), "kind": "a"}


def test_without_early_stopping_the_time_is_that_of_whole_trials():
    found = best_so_far(curves(*range(1, 41)), Search("random", "none", 1 / 3), seed=0, seconds=100.0)
    assert all(time == pytest.approx(10 * round(time / 10)) for time, _ in found)
    assert [value for _, value in found] == sorted((value for _, value in found), reverse=True)


def test_early_stopping_finds_more_in_the_same_time():
    recorded = curves(*range(1, 41))
    ends = {}
    for scheduler in ("asha", "none"):
        found = [best_so_far(recorded, Search("random", scheduler, 1 / 3), seed, 120.0)[-1][1] for seed in range(8)]
        ends[scheduler] = sum(found) / len(found)
    assert ends["asha"] < ends["none"]


@pytest.fixture
def recorded_study(tmp_path):
    """A study of six trials in its journal, one of which was stopped early."""
    plan = make_plan(StudyConfig(space="gradnorm", scale="smoke", name="night", storage_dir=tmp_path))
    plan.folder.path.mkdir(parents=True)
    study = create_study("night", open_storage(plan.optuna_storage), plan.directions, [])
    study.sampler = optuna.samplers.RandomSampler(seed=0)
    for number in range(7):
        trial = study.ask()
        plan.space.suggest(trial)
        trial.report(50.0 + number, 2)
        trial.set_user_attr(METRICS, {"seconds_training": 2.0, "seconds_evaluation": 1.0, "seconds_saving": 0.5})
        if number == 3:
            study.tell(trial, state=TrialState.PRUNED)
            continue
        trial.report(40.0 + number, 4)
        study.tell(trial, 40.0 + number)
    plan.folder.write(study_json(plan))
    return study


def test_the_curves_of_a_study_are_those_of_whole_trials(recorded_study, tmp_path, capsys):
    saved = load_curves(make_plan(StudyConfig(storage_dir=tmp_path, resume="night")))
    assert len(saved.curves) == 6
    assert saved.curves[0].values == {2: 50.0, 4: 40.0}
    assert saved.curves[0].seconds == 3.5
    for curve, trial in zip(saved.curves[:3], recorded_study.trials, strict=False):
        assert curve.params == trial.params
        assert saved.nearest({"noise_share": 0.05, "discriminator_updates": 1, **trial.params}) == curve
    capsys.readouterr()
    command = ["night", "--storage-dir", str(tmp_path), "--samplers", "random", "--seeds", "2"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "6 recorded trials of study night, 4 rounds each" in shown
    rows = [line.split(" | ") for line in shown.splitlines() if line.startswith("| random")]
    assert [row[0] for row in rows] == ["| random, asha from 0.33 of the rounds", "| random, none"]
    for row in rows:
        quarter, half, whole = (float(cell.split()[0]) for cell in row[1:4])
        assert quarter >= half >= whole >= 40
    assert main(command) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing"], "there is no study 'nothing'"),
        (["night", "--samplers", "tpf"], "unknown sampler 'tpf': did you mean 'tpe'"),
        (["night", "--samplers", "grid"], "--samplers grid tries every value"),
        (["night", "--schedulers", "pbt"], "--schedulers pbt changes settings while trials run"),
        (["night", "--schedulers", "asah"], "unknown scheduler 'asah': did you mean 'asha'"),
        (["night", "--grace", "0"], "--grace 0: it is a share of the rounds"),
        (["night", "--seeds", "1"], "--seeds is 1: it must be at least 2"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, capsys, arguments, sentence):
    assert main([*arguments, "--storage-dir", str(tmp_path)]) == 2
    shown = capsys.readouterr().err
    assert sentence in shown
    assert shown.count("\n") == 1


def test_too_few_curves(recorded_study, tmp_path, capsys):
    made = json.loads((tmp_path / "studies/night/study.json").read_text())
    made["config"]["name"] = "short"
    folder = tmp_path / "studies/short"
    folder.mkdir()
    (folder / "study.json").write_text(json.dumps(made))
    create_study("short", open_storage(Path(folder) / "optuna.journal"), ("minimize",), [])
    assert main(["short", "--storage-dir", str(tmp_path)]) == 2
    assert "study 'short' has 0 trials that were trained to their end, and 5 are needed" in capsys.readouterr().err


def test_saved_curves_are_replayed_as_those_of_the_study(recorded_study, tmp_path, capsys):
    file = tmp_path / "curves.json"
    assert main(["night", "--storage-dir", str(tmp_path), "--save", str(file)]) == 0
    saved, recorded = read_curves(file), load_curves(make_plan(StudyConfig(storage_dir=tmp_path, resume="night")))
    assert saved == recorded
    searches = ["--samplers", "tpe", "--schedulers", "asha", "--seeds", "2"]
    capsys.readouterr()
    assert main(["night", "--storage-dir", str(tmp_path), *searches]) == main([str(file), *searches]) == 0
    of_study, of_file = capsys.readouterr().out.split("6 recorded trials")[1:]
    assert of_study == of_file


@pytest.mark.parametrize("content", [None, "[]", "{}", "no JSON", '{"space": 3}'])
def test_a_file_that_has_no_curves_is_refused(tmp_path, capsys, content):
    file = tmp_path / "curves.json"
    if content is not None:
        file.write_text(content)
    assert main([str(file)]) == 2
    assert "is no file of recorded curves: name one that" in capsys.readouterr().err


def test_curves_are_not_saved_where_nothing_can_be_written(recorded_study, tmp_path, capsys):
    assert main(["night", "--storage-dir", str(tmp_path), "--save", str(tmp_path / "none" / "x.json")]) == 2
    assert "name another file with --save" in capsys.readouterr().err


def test_the_shipped_curves_are_small_and_of_the_present_space():
    shipped = Path(__file__).parents[2] / "docs/curves/gradnorm.json"
    assert shipped.stat().st_size < 200_000
    recorded = read_curves(shipped)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        GradNorm("laptop").suggest(trial)
        assert trial.distributions.items() <= recorded.space.items()
    assert len(recorded.curves) == 28
