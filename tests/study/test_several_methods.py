"""A space whose trials name their methods, each with its own number of rounds."""

from __future__ import annotations

import sys
import textwrap

import pytest
import torch
from optuna.trial import FixedTrial

from study.config import StudyConfig
from study.launch import main
from study.plan import describe
from study.planning import make_plan
from study.trial_specs import first_configs, make_spec, parse_assignments
from trainables.errors import InputError
from trainables.evaluator import Evaluator
from trainables.measures.settings import DetectionSettings, PixelsSettings, ReconstructionSettings
from trainables.methods.base import method_class
from trainables.methods.gan import Gan, GanConfig
from trainables.methods.vae_gan import VaeGan, VaeGanConfig
from trainables.preparation import prepare_protocol
from trainables.protocol import Protocol

CPU = torch.device("cpu")

SPACE = """
from search_spaces.grid import GridSpace
from search_spaces.space import Scale, Suggestion
from trainables.measures.settings import DetectionSettings, FidelitySettings
from trainables.methods.gan import Gan

class Two(GridSpace):
    name = "two"
    description = "two methods"
    methods = ("gan", "discriminator_only")
    scales = {"smoke": Scale("digits", 10, 5, (FidelitySettings(num_samples=64), DetectionSettings(optional=True)))}
    grid = {"arm": ("gan", "alone")}

    def suggestion(self, point):
        if point["arm"] == "gan":
            return Suggestion({"generator_lr": 1e-3}, method="gan", pace=2.5)
        return Suggestion({"image_lr": 0.1}, method="discriminator_only")

class Unnamed(Two):
    def suggestion(self, point):
        return Suggestion({})

class Wrong(Two):
    def suggestion(self, point):
        return Suggestion({}, method="discriminator_only_points")

class Strict(Two):
    methods = ("gan", "two_methods:Silent")
    objectives = ("auroc_best",)
    scales = {"smoke": Scale("digits", 10, 5, (DetectionSettings(ood_sets=("scrambled",)),))}

class Lenient(Strict):
    scales = {"smoke": Scale("digits", 10, 5, Two.scales["smoke"].measures)}

    def suggestion(self, point):
        return Suggestion({"batch_size": 16}, method="two_methods:Silent")

class Silent(Gan):
    score = None
"""


@pytest.fixture
def plan(tmp_path):
    """The plan of a study of one of the spaces above."""
    path = tmp_path / "two_methods.py"
    path.write_text(textwrap.dedent(SPACE))

    def make(name, **settings):
        return make_plan(StudyConfig(space=f"{path}:{name}", scale="smoke", storage_dir=tmp_path / "out", **settings))

    yield make
    sys.modules.pop("two_methods", None)


def specs(made):
    protocols = {"digits": made.protocols["digits"]}
    return [make_spec(made, FixedTrial(dict(f.params), n), protocols) for n, f in enumerate(made.space.first_trials())]


def test_each_trial_has_its_method_and_a_config_of_it(plan):
    made = plan("Two")
    gan, alone = specs(made)
    assert (gan.method, alone.method) == ("gan", "discriminator_only")
    assert gan.config.keys() == method_class("gan").Config.model_fields.keys()
    assert alone.config.keys() == method_class("discriminator_only").Config.model_fields.keys()
    assert describe(made)["method"] == "gan, discriminator_only"
    assert [method for _, method, _ in first_configs(made)] == ["gan", "discriminator_only"]


def test_budgets_differ_by_the_pace_of_a_trial(plan):
    assert [(s.rounds, s.evaluate_every) for s in specs(plan("Two"))] == [(25, 12), (10, 5)]
    assert [(s.rounds, s.evaluate_every) for s in specs(plan("Two", rounds=4))] == [(10, 10), (4, 4)]


def test_early_stopping_is_refused_where_rounds_cannot_be_compared(plan):
    with pytest.raises(InputError, match="different numbers of rounds, so that asha cannot compare them early"):
        plan("Two", scheduler="asha")


def test_a_setting_must_be_known_to_every_method(plan):
    assert [s.config["batch_size"] for s in specs(plan("Two", assignments=("batch_size=8",)))] == [8, 8]
    with pytest.raises(InputError, match="unknown setting of gan 'max_updates'"):
        parse_assignments(["max_updates=3"], plan("Two").space)


def test_trials_must_name_a_method_of_the_space(plan):
    with pytest.raises(InputError, match="several methods, and suggests a trial that names none"):
        plan("Unnamed")
    with pytest.raises(InputError, match="suggests method 'discriminator_only_points', which is not among its methods"):
        plan("Wrong")


def test_the_method_of_each_trial_is_shown(plan, tmp_path, capsys):
    plan("Two")
    assert main(["--space", f"{tmp_path / 'two_methods.py'}:Two", "--scale", "smoke", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "trial 0 of gan (arm gan):" in shown
    assert "trial 1 of discriminator_only (arm alone):" in shown


def test_a_method_without_an_ability_is_refused_unless_the_measure_is_optional(plan):
    with pytest.raises(InputError, match="measure 'detection' needs a method that scores, and 'two_methods:Silent'"):
        plan("Strict")
    plan("Lenient")


class Mute(Gan):
    sample = None


def test_an_optional_measure_is_left_out_for_a_method_without_the_ability(cache_dir):
    measures = (PixelsSettings(num_samples=10, optional=True), DetectionSettings(ood_sets=("scrambled",), resamples=5))
    evaluator = Evaluator(
        prepare_protocol(Protocol(dataset="digits", measures=measures), cache_dir).protocol, cache_dir, CPU
    )
    whole, mute = (method(GanConfig.tiny(), evaluator.dataset, CPU) for method in (Gan, Mute))
    missing = evaluator(whole, 0).metrics.keys() - evaluator(mute, 0).metrics.keys()
    assert missing == {"duplicates", "copying"}


def test_an_object_may_lack_an_ability_of_its_class(cache_dir):
    measures = (PixelsSettings(num_samples=10), ReconstructionSettings(num_images=10, components=3, optional=True))
    protocol = prepare_protocol(Protocol(dataset="digits", measures=measures), cache_dir).protocol
    evaluator = Evaluator(protocol, cache_dir, CPU)
    made = {arm: VaeGan(VaeGanConfig.tiny(arm=arm), evaluator.dataset, CPU) for arm in ("features", "gan")}
    reported = {arm: "reconstruction_mse" in evaluator(method, 0).metrics for arm, method in made.items()}
    assert reported == {"features": True, "gan": False}
