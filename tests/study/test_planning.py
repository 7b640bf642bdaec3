"""What a study is, from what the command line says: settings, budget, objectives, the file of another study."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import optuna
import pytest
from optuna.trial import FixedTrial

from search_spaces import SPACES
from search_spaces.space import SearchSpace
from study.config import StudyConfig
from study.launch import main
from study.optuna_storage import create_study
from study.plan import describe, study_json
from study.planning import make_plan
from study.trial_specs import in_rounds, make_spec, method_config, mutations
from trainables.data.cache import prepare
from trainables.errors import InputError
from trainables.measures.settings import FidelitySettings
from trainables.registry import resolve


@pytest.fixture
def plan(tmp_path):
    return lambda **settings: make_plan(
        StudyConfig(**{"space": "gradnorm", "scale": "smoke", "storage_dir": tmp_path} | settings)
    )


@pytest.fixture
def written(plan):
    """The plan of a study, which has been set up."""

    def write(**settings):
        made = plan(**settings)
        made.folder.path.mkdir(parents=True)
        made.folder.write(study_json(made))
        return made

    return write


def first_config(plan):
    return method_config(plan, 0, plan.space.suggest(first_trial(plan)))


def first_trial(plan):
    return FixedTrial(dict(plan.space.first_trials()[0].params), 0)


# --- precision --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "gpus", "precision"),
    [(None, 0.0, "fp32"), (None, 0.25, "tf32"), ("bf16", 1.0, "bf16"), ("fp32", 1.0, "fp32")],
)
def test_gpus_multiply_in_tf32_unless_another_precision_is_said(plan, asked, gpus, precision):
    made = plan(precision=asked, gpus_per_trial=gpus)
    assert describe(made)["precision"] == precision
    assert make_spec(made, first_trial(made), made.protocols).precision == precision


def test_a_cpu_is_asked_for_no_precision(plan):
    for precision in ("tf32", "bf16"):
        with pytest.raises(InputError, match=f"--precision {precision} is for GPUs, and the trials ask for none"):
            plan(precision=precision)
    assert describe(plan(precision="fp32"))["precision"] == "fp32"


def test_a_study_goes_on_in_its_precision(written, plan, tmp_path, capsys):
    written(name="s", precision="bf16", gpus_per_trial=1.0)
    assert plan(resume="s", space=None, gpus_per_trial=1.0).precision == "bf16"
    arguments = ["--resume", "s", "--precision", "fp32", "--gpus-per-trial", "1", "--storage-dir", str(tmp_path)]
    assert main(arguments) == 2
    assert "was started with --precision bf16, it cannot go on with --precision fp32" in capsys.readouterr().err


# --- settings of the method -------------------------------------------------------------------------------------------


def test_settings_that_are_not_searched_can_be_set(plan):
    made = plan(assignments=("width=0.5", "gradient_norm_reading=batch_mean", "fake_batches=2", "pool_size=5"))
    config = first_config(made)
    assert config["width"] == 0.5
    assert config["gradient_norm_reading"] == "batch_mean"
    assert (config["fake_batches"], config["pool_size"]) == (2, 5.0)
    assert config["batch_size"] == made.space.scale.fixed["batch_size"]
    assert describe(made)["fixed"] == {
        **made.space.scale.fixed,
        "width": 0.5,
        "gradient_norm_reading": "batch_mean",
        "fake_batches": 2,
        "pool_size": 5.0,
    }


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("batch_sise=3", "unknown setting of discriminator_only 'batch_sise': did you mean 'batch_size'"),
        ("image_lr=0.1", "space 'gradnorm' searches image_lr"),
        ("width=wide", "--set width=wide: Input should be a valid number"),
        ("width=5", "--set width=5: Input should be less than or equal to 4"),
        ("fake_batches=2.5", "--set fake_batches=2.5: Input should be a valid integer"),
        ("width", "--set width: write KEY=VALUE"),
        ("seed=3", "say --seed 3"),
    ],
)
def test_settings_that_cannot_be_set(plan, assignment, sentence):
    with pytest.raises(InputError) as error:
        plan(assignments=(assignment,))
    assert sentence in str(error.value)


def test_settings_and_budget_are_kept_and_cannot_change(written, plan, tmp_path):
    written(name="s", assignments=("width=0.5",), rounds=6)
    stored = json.loads((tmp_path / "studies/s/study.json").read_text())
    assert stored["config"]["assignments"] == ["width=0.5"]
    assert stored["config"]["rounds"] == 6
    resumed = plan(space=None, scale="laptop", resume="s")
    assert (resumed.fixed["width"], resumed.rounds, resumed.space.scale_name) == (0.5, 6, "smoke")
    for changed, sentence in (
        ({"assignments": ("width=1",)}, "with --set width=0.5, it cannot go on with --set width=1"),
        ({"rounds": 7}, "with --rounds 6, it cannot go on with --rounds 7"),
    ):
        with pytest.raises(InputError, match=sentence):
            plan(space=None, resume="s", **changed)


def test_a_default_that_is_said_is_not_ignored(written, capsys, tmp_path):
    """`--seed 0` is not the same as no `--seed` where a study with another seed goes on."""
    written(name="s", seed=5)
    assert make_plan(StudyConfig(resume="s", storage_dir=tmp_path)).seed == 5
    assert main(["--resume", "s", "--seed", "0", "--storage-dir", str(tmp_path)]) == 2
    assert "was started with --seed 5, it cannot go on with --seed 0" in capsys.readouterr().err
    assert main(["--resume", "s", "--scale=laptop", "--storage-dir", str(tmp_path)]) == 2
    assert "was started with --scale smoke, it cannot go on with --scale laptop" in capsys.readouterr().err


# --- budget -----------------------------------------------------------------------------------------------------------


def test_a_shorter_budget_is_evaluated_as_often_as_it_needs(plan):
    assert (plan().rounds, plan().evaluate_every) == (4, 2)
    assert (plan(rounds=9).rounds, plan(rounds=9).evaluate_every) == (9, 2)
    assert (plan(rounds=1).rounds, plan(rounds=1).evaluate_every) == (1, 1)
    made = plan(rounds=1)
    spec = make_spec(made, first_trial(made), made.protocols)
    assert (spec.rounds, spec.evaluate_every) == (1, 1)


@pytest.mark.parametrize(("dataset", "length"), [("digits", 1437), ("digits:3", None)])
def test_a_budget_in_epochs_is_in_rounds_once_the_data_is_prepared(plan, cache_dir, dataset, length):
    """Scale `paper` on a data set that is at hand."""
    made = replace(plan(space="gradnorm", scale="paper", dataset=dataset), cache_dir=cache_dir)
    assert describe(made)["rounds"] == "40 epochs"
    with pytest.raises(ValueError, match="known when the data is prepared"):
        _ = made.rounds
    batches = math.ceil((length or len(prepare(dataset, cache_dir).train)) / 128)
    known = in_rounds(made)
    assert (known.rounds, known.evaluate_every) == (40 * batches, batches)
    spec = make_spec(known, first_trial(known), known.protocols)
    assert (spec.rounds, spec.evaluate_every) == (40 * batches, batches)
    assert in_rounds(known) is known
    said = plan(space="gradnorm", scale="paper", dataset=dataset, rounds=5)
    said = in_rounds(replace(said, cache_dir=cache_dir))
    assert (said.rounds, said.evaluate_every) == (5, min(5, batches))


# --- seeds ------------------------------------------------------------------------------------------------------------


def test_trials_of_a_search_have_seeds_of_their_own_and_those_of_a_grid_the_same(plan):
    def seeds(made):
        trials = [FixedTrial(dict(first.params), n) for n, first in enumerate(made.space.first_trials()[:2])]
        return [method_config(made, trial.number, made.space.suggest(trial))["seed"] for trial in trials]

    assert seeds(plan(seed=7)) == [7, 8]
    assert seeds(plan(space="toy_spiral", seed=7)) == [7, 7]


def test_seeds_are_the_scales_unless_they_are_said(plan):
    assert plan(space="toy_spiral", scale="laptop").seeds == resolved("toy_spiral")("laptop").scale.seeds > 1
    assert plan(space="toy_spiral", scale="laptop", seeds=2).seeds == 2


def resolved(name):
    return resolve("space", name, SPACES, SearchSpace)


# --- objectives -------------------------------------------------------------------------------------------------------


def test_objectives_are_named_by_family_or_in_full(plan):
    assert plan().objectives == ("fid_lenet_best",)
    assert plan(objectives=("fid_best",)).objectives == ("fid_lenet_best",)
    assert plan(objectives=("kid_lenet",)).objectives == ("kid_lenet",)
    assert plan(features="inception", objectives=("is",)).objectives == ("is_inception",)
    assert plan(objectives=("auroc_best",)).directions == ("maximize",)


def test_further_objectives_are_read_where_the_first_is_best(plan):
    made = plan(objectives=("fid_best", "auroc_best", "duplicates"))
    assert made.objectives == ("fid_lenet_best", "auroc_at_best", "duplicates")
    assert made.directions == ("minimize", "maximize", "minimize")
    assert plan(objectives=made.objectives).objectives == made.objectives


@pytest.mark.parametrize("objectives", [("fid_at_best",), ("auroc", "fid_at"), ("fid_best", "fid_lenet")])
def test_objectives_that_make_no_sense(plan, objectives):
    with pytest.raises(InputError, match=r"unknown objective|named twice"):
        plan(objectives=objectives)


def test_features_that_are_asked_for_replace_all_others(plan):
    def features(**settings):
        measures = plan(scale="laptop", **settings).protocols["mnist5k"].measures
        return [s.features for s in measures if isinstance(s, FidelitySettings)]

    assert features() == ["lenet", "efficientnet"]
    for name in ("lenet", "efficientnet", "inception"):
        assert features(features=name) == [name]
    assert plan(scale="laptop", features="efficientnet").objectives == ("fid_efficientnet_best",)
    assert plan(scale="laptop", objectives=("fid_efficientnet",)).objectives == ("fid_efficientnet",)


def test_measures_that_the_space_does_not_have_cannot_be_changed(plan):
    with pytest.raises(InputError, match="--features: space 'toy_spiral' measures no features"):
        plan(space="toy_spiral", features="lenet")
    with pytest.raises(InputError, match="--ood-sets: space 'toy_spiral' tells no images"):
        plan(space="toy_spiral", ood_sets=("digits",))


# --- trials -----------------------------------------------------------------------------------------------------------


def test_a_trial_is_told_what_optuna_suggested_and_the_name_of_its_settings(plan):
    made = plan(assignments=("width=0.5",))
    study = create_study("s", optuna.storages.InMemoryStorage(), made.directions, made.space.first_trials())
    spec = make_spec(made, study.ask(), made.protocols)
    first = made.space.first_trials()[0]
    assert (spec.number, spec.first_trial, spec.params) == (0, first.name, dict(first.params))
    assert (spec.objective, spec.config["width"], spec.outside) == ("fid_lenet_best", 0.5, None)
    assert spec.folder == str(made.folder.path / "trials/0000")
    study.sampler = optuna.samplers.RandomSampler(seed=0)
    while (trial := study.ask()).user_attrs:
        pass
    suggested = make_spec(made, trial, made.protocols)
    assert suggested.first_trial is None
    assert suggested.params.keys() >= first.params.keys()


def test_only_continuous_settings_may_be_perturbed(plan):
    found = mutations(plan().space)
    assert {"image_lr", "lambda_gnorm"} < found.keys()
    assert "max_updates" not in found


# --- the file of another study ----------------------------------------------------------------------------------------


def test_a_study_is_started_from_the_file_of_another(written, plan, tmp_path):
    other = written(name="one", assignments=("width=0.5",), seed=3, objectives=("auroc_best",), trials=5)
    made = plan(space=None, scale="laptop", from_file=other.folder.study_json)
    assert made.name != "one"
    assert not made.is_resumed
    assert {**describe(made), "name": "", "folder": ""} == {**describe(other), "name": "", "folder": ""}
    changed = plan(space=None, from_file=other.folder.study_json, name="two", seed=4, rounds=2)
    assert (changed.name, changed.seed, changed.rounds, changed.fixed["width"]) == ("two", 4, 2, 0.5)


def test_a_default_that_is_said_overrides_the_file(written, capsys, tmp_path):
    other = written(name="one", seed=3)
    arguments = ["--config", str(other.folder.study_json), "--seed", "0", "--dry-run"]
    assert main([*arguments, "--storage-dir", str(tmp_path)]) == 0
    shown, _ = json.JSONDecoder().raw_decode(capsys.readouterr().out)
    assert (shown["seed"], shown["scale"]) == (0, "smoke")


@pytest.mark.parametrize("content", [None, "", "{}", '{"config": 3}', "[1]"])
def test_a_file_that_is_not_a_studys(plan, tmp_path, content):
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=r"there is no file|is not the study\.json of a study|another version"):
        plan(from_file=path)


def test_a_study_that_goes_on_takes_no_other_file(written, plan):
    other = written(name="one")
    with pytest.raises(InputError, match="--config starts a new study"):
        plan(from_file=other.folder.study_json, resume="one")
