"""A study after others: it learns from their trials where those may be compared, else it tries their best settings."""

from __future__ import annotations

import pytest
from optuna.trial import TrialState

from search_spaces.space import FirstTrial
from study.config import StudyConfig
from study.launch import main
from study.optuna_storage import INHERITED, METRICS, best_inherited, create_study, num_started, open_storage, ranked
from study.plan import study_json
from study.planning import make_plan
from study.runner import open_study
from study.trial_specs import check_first, first_trials
from trainables.errors import InputError

VALUES = (5.0, 3.0, 4.0, 9.0, 2.0)


@pytest.fixture
def plan(tmp_path):
    return lambda **settings: make_plan(
        StudyConfig(**{"space": "gradnorm", "scale": "smoke", "storage_dir": tmp_path} | settings)
    )


@pytest.fixture
def ended(plan):
    """A study with the first trials and two more; the last but one was stopped early, and one more has failed."""

    def make(name="night", values=VALUES, **settings):
        made = plan(name=name, **settings)
        made.folder.path.mkdir(parents=True)
        study = create_study(name, open_storage(made.optuna_storage), made.directions, made.space.first_trials())
        for number, value in enumerate(values):
            trial = study.ask()
            made.space.suggest(trial)
            trial.report(value, 2)
            trial.set_user_attr(METRICS, {"round": 4.0, "copying_at_best": value / 10})
            if number == 3:
                study.tell(trial, state=TrialState.PRUNED)
            else:
                study.tell(trial, value)
        study.tell(study.ask(), state=TrialState.FAIL)
        made.folder.write(study_json(made))
        return study

    return make


def test_trials_of_the_same_protocol_are_known_as_they_are(ended, plan):
    night = ended()
    made = plan(name="day", after="night", constraints=("copying<=0.45",))
    assert made.earlier.notes == ("after night: its 5 ended trials are known to the search",)
    assert [first.name for first in first_trials(made)] == []  # they were trained there
    made.folder.path.mkdir(parents=True)
    study = open_study(made)
    for known, original in zip(study.trials, night.trials[:5], strict=True):
        assert known.user_attrs[INHERITED] == f"{original.number} of night"
        for field in ("state", "values", "params", "intermediate_values", "datetime_start", "datetime_complete"):
            assert getattr(known, field) == getattr(original, field)
    assert [trial.constraints["copying<=0.45"] > 0 for trial in study.trials] == [True, False, False, True, False]
    assert num_started(study) == 0
    assert ranked(study) == []
    assert best_inherited(study).value == 2.0
    again = plan(name="day", resume="day")
    assert again.earlier.trials == ()  # Optuna has them by now
    assert again.config.after == "night"


def test_numbers_that_may_not_be_compared_are_not_but_the_best_settings_are_tried(ended, plan):
    night = ended()
    made = plan(name="day", after="night", rounds=8)
    assert made.earlier.trials == ()
    (note,) = made.earlier.notes
    assert note.startswith("after night, which has another number of rounds: its best settings (trials 4, 1, 2) are")
    tried = first_trials(made)
    assert [first.name for first in tried[:3]] == ["trial 4 of night", "trial 1 of night", "trial 2 of night"]
    assert [first.params for first in tried[:3]] == [night.trials[number].params for number in (4, 1, 2)]
    assert len(tried) == 3 + len(made.space.first_trials())


@pytest.mark.parametrize(
    ("settings", "differs"),
    [
        ({"ood_sets": ("scrambled",)}, "another protocol"),
        ({"dataset": "mnist5k"}, "another data set"),
        ({"scale": "laptop"}, "another data set"),
        ({"seeds": 2}, "another number of seeds"),
        ({"assignments": ("batch_size=8",)}, "another setting of the method"),
    ],
)
def test_what_makes_numbers_incomparable(ended, plan, settings, differs):
    ended()
    assert differs in plan(name="day", after="night", **settings).earlier.notes[0]


def test_several_studies_are_known_together(ended, plan):
    ended()
    ended("evening", rounds=8)
    earlier = plan(name="day", after="night,evening").earlier
    assert (len(earlier.trials), len(earlier.first)) == (5, 3)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--space", "gradnorm", "--after", "nothing"], "there is no study 'nothing'"),
        (
            ["--space", "beyond", "--after", "night"],
            "that study searched space 'gradnorm', name another",
        ),
        (
            ["--space", "gradnorm", "--after", "night", "--objectives", "auroc_best"],
            "--after night: that study was ranked by fid_lenet_best",
        ),
        (["--space", "ablation", "--after", "night"], "every setting of a grid is trained once"),
        (["--space", "gradnorm", "--after", "empty"], "--after empty: that study has no finished trial"),
        (["--confirm", "night", "--after", "night"], "--confirm searches nothing: leave out --after"),
        (
            ["--space", "gradnorm", "--constraints", "copyin<=1"],
            "unknown metric in --constraints 'copyin'",
        ),
        (["--space", "gradnorm", "--constraints", "copying<1"], "write METRIC<=NUMBER or METRIC>=NUMBER, in quotes"),
        (["--space", "gradnorm", "--constraints", "copying<=x"], "write METRIC<=NUMBER or METRIC>=NUMBER, in quotes"),
        (["--space", "gradnorm", "--revive", "2"], "--revive lets trials go on that were stopped early: name their"),
        (["--resume", "night", "--revive", "0"], "--revive is 0: it must be at least 1"),
    ],
)
def test_bad_input_is_one_sentence(ended, tmp_path, capsys, options, sentence):
    ended()
    ended("empty", values=())
    assert main(["--storage-dir", str(tmp_path), "--scale", "smoke", *options]) == 2
    shown = capsys.readouterr().err
    assert sentence in shown
    assert shown.count("\n") == 1


def test_settings_that_the_space_does_not_take_any_more(plan):
    with pytest.raises(InputError, match="space 'gradnorm' cannot suggest a trial"):
        check_first(plan(), [FirstTrial("trial 3 of night", {"image_lr": 0.1})])
