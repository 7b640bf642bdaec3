"""The spaces of few labels and of collapse against the lecture's table and what they are to compare."""

from __future__ import annotations

import optuna
import pytest

from search_spaces.collapse import Collapse, ToyCollapse
from search_spaces.labels import ARMS, Labels
from trainables.measures.settings import ClassificationSettings
from trainables.methods.base import method_class

# [Kitov]: accuracies on MNIST by the number of labels.
LECTURE = {
    "D of SGAN, labels alone": {1000: 0.965, 100: 0.895, 50: 0.859, 25: 0.750},
    "SGAN": {1000: 0.964, 100: 0.928, 50: 0.883, 25: 0.802},
}


def trials(space):
    """The parameters, the suggestion and the published figures of each first trial."""
    for first in space.first_trials():
        yield first.params, space.suggest(optuna.trial.FixedTrial(dict(first.params))), first.published


@pytest.mark.parametrize(("scale", "counts", "draws"), [("smoke", 1, 1), ("laptop", 4, 5), ("paper", 4, 10)])
def test_every_method_is_trained_with_the_same_draws(scale, counts, draws):
    space = Labels(scale)
    drawn = {arm: set() for arm in ARMS}
    for params, suggestion, _ in trials(space):
        config = method_class(suggestion.method).Config(**suggestion.config)
        assert (config.labels, config.label_draw) == (params["labels"], params["draw"])
        assert (config.unlabelled_weight == 0.0) == ("alone" in params["method"])
        drawn[params["method"]].add((config.labels, config.label_draw))
    assert len({frozenset(found) for found in drawn.values()}) == 1
    assert {len(found) for found in drawn.values()} == {counts * draws}
    assert space.num_trials == 4 * counts * draws


@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
def test_the_references_have_the_numbers_of_labels_and_the_draws_of_the_trials(scale):
    space = Labels(scale)
    (settings,) = space.scale.measures
    assert isinstance(settings, ClassificationSettings)
    assert set(settings.labels) == {params["labels"] for params, _, _ in trials(space)}
    assert settings.draws == len({params["draw"] for params, _, _ in trials(space)})


def test_a_discriminator_alone_is_the_same_network_with_the_same_rates_and_updates():
    found = {(p["method"], p["labels"], p["draw"]): s for p, s, _ in trials(Labels("laptop"))}
    for whole, alone in (("SGAN", "D of SGAN, labels alone"), ("feature matching", "its D, labels alone")):
        assert found[alone, 50, 3].config == found[whole, 50, 3].config | {"unlabelled_weight": 0.0}
        assert found[alone, 50, 3].pace == found[whole, 50, 3].pace


def test_the_published_accuracies_are_the_lectures():
    for params, _, published in trials(Labels("paper")):
        if params["method"] in LECTURE:
            assert published == {"accuracy": LECTURE[params["method"]][params["labels"]]}


def test_at_paper_scale_feature_matching_has_the_published_settings():
    space = Labels("paper")
    assert (space.scale.dataset, space.scale.rounds) == ("mnist", 300 * 60_000 // 100)
    suggestions = [s for p, s, _ in trials(space) if p["method"] == "feature matching"]
    config = method_class("feature_matching").Config(**suggestions[0].config)
    assert (config.lr, config.beta1, config.batch_size, config.average_rate) == (3e-3, 0.5, 100, 1e-4)
    assert (config.discriminator_width, config.generator_width, config.latent_dim) == (1.0, 1.0, 100)


def test_the_claims_about_sgan_hold_for_the_lectures_table():
    for claim in Labels("paper").claims():
        if "SGAN" in claim.text:
            groups = [
                [a for arm, of_arm in LECTURE.items() for n, a in of_arm.items() if group({"method": arm, "labels": n})]
                for group in (claim.lower, claim.higher)
            ]
            ((low,), (high,)) = groups
            assert high > low if claim.margin is None else abs(high - low) < claim.margin


@pytest.mark.parametrize("space_type", [Collapse, ToyCollapse])
def test_the_remedies_differ_from_the_plain_gan_by_one_setting_each(space_type):
    configs = {p["remedy"]: dict(s.config) for p, s, _ in trials(space_type("laptop"))}
    plain = configs.pop("plain")
    added = {name: {k: v for k, v in config.items() if k not in plain} for name, config in configs.items()}
    assert added == {
        "minibatch discrimination": {"minibatch_kernels": 16, "minibatch_dims": 4},
        "feature matching": {"generator_loss": "feature_matching"},
    }
    assert space_type("laptop").scale.seeds == 5
