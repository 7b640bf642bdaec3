"""The spaces of the GAN family against the documents' tables and settings."""

from __future__ import annotations

import optuna
import pytest

from search_spaces import published_gan
from search_spaces.balance import Balance
from search_spaces.depth import Depth
from search_spaces.space import rounds_of
from search_spaces.step_ratio import LOSSES, StepRatio
from search_spaces.table51 import Table51, Table51Cifar10
from trainables.adversarial_losses import ADVERSARIAL_LOSSES
from trainables.measures.settings import FidelitySettings
from trainables.methods.gan import GanConfig
from trainables.protocol import Protocol

# [Yamazaki 2017], table 5.1, in its order.
MNIST = {
    ("both", 0): 9.14,
    ("both", 1): 9.50,
    ("both", 2): 9.72,
    ("both", 3): 9.73,
    ("both", 4): 9.68,
    ("both", 5): 9.70,
    ("generator", 0): 9.05,
    ("generator", 1): 9.22,
    ("generator", 2): 9.26,
    ("generator", 3): 9.14,
    ("generator", 4): 9.07,
    ("generator", 5): 9.11,
}
CIFAR10 = {
    ("both", 0): 6.71,
    ("both", 1): 7.15,
    ("both", 2): 5.59,
    ("both", 3): 6.41,
    ("generator", 0): 5.58,
    ("generator", 1): 6.65,
    ("generator", 2): 7.60,
    ("generator", 3): 7.46,
}


def config_of(space, params):
    trial = optuna.trial.FixedTrial(dict(params))
    return GanConfig(**{**space.scale.fixed, **space.suggest(trial).config})


def configs(space):
    return [config_of(space, first.params) for first in space.first_trials()]


@pytest.mark.parametrize(
    ("space_type", "table", "metric", "network"),
    [
        (Table51, MNIST, "is_lenet_best", "residual_b"),
        (Table51Cifar10, CIFAR10, "is_inception_best", "residual_c"),
    ],
)
def test_table51_is_the_published_grid_and_nothing_else(space_type, table, metric, network):
    space = space_type("paper")
    cells = {}
    for first in space.first_trials():
        config = config_of(space, first.params)
        assert config == GanConfig(
            generator=network,
            discriminator=network,
            generator_depth=config.generator_depth,
            discriminator_depth=config.generator_depth,
            batch_norm=config.batch_norm,
        )
        cells[config.batch_norm, config.generator_depth] = first.published[metric]
    assert cells == table
    assert space.exhaustive
    assert space.objectives == ("is_best",)
    for scale in ("smoke", "laptop", "paper"):
        assert space_type(scale).num_trials == len(space.first_trials()) == len(table)
    assert Protocol(dataset=space.scale.dataset, measures=space.scale.measures).full_name("is_best") == metric


def test_the_halves_of_table51_train_as_long_as_published_on_their_data():
    mnist, cifar10 = Table51("paper").scale, Table51Cifar10("paper").scale
    assert (mnist.dataset, mnist.rounds) == ("mnist", 30_000)
    assert (cifar10.dataset, cifar10.rounds) == ("cifar10", 80_000)
    for scale in (mnist, cifar10):
        (fidelity,) = (settings for settings in scale.measures if isinstance(settings, FidelitySettings))
        assert (scale.evaluate_every, fidelity.num_samples) == (100, 5000)


@pytest.mark.parametrize("space_type", [Table51, Table51Cifar10])
@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
def test_the_scores_of_table51_are_of_ten_splits_as_the_published_ones(space_type, scale):
    fidelity = space_type(scale).scale.measures[0]
    assert isinstance(fidelity, FidelitySettings)
    assert fidelity.inception_splits == 10


@pytest.mark.parametrize("space_type", [Table51, Table51Cifar10, Depth, StepRatio, Balance])
def test_what_is_compared_on_a_laptop_is_trained_with_three_seeds(space_type):
    assert space_type("laptop").scale.seeds == 3


def test_the_published_deviations_belong_to_the_published_scores():
    """[Yamazaki 2017], table 5.1: a few of its cells."""
    assert published_gan.MNIST_DEVIATIONS["both"][3] == 0.058  # 9.73, the best
    assert published_gan.MNIST_DEVIATIONS["generator"][4] == 0.15  # 9.07
    assert published_gan.CIFAR10_DEVIATIONS["generator"][2] == 0.31  # 7.60, the best
    for scores, deviations in (
        (published_gan.MNIST_SCORES, published_gan.MNIST_DEVIATIONS),
        (published_gan.CIFAR10_SCORES, published_gan.CIFAR10_DEVIATIONS),
    ):
        assert {place: len(of_place) for place, of_place in scores.items()} == {
            place: len(of_place) for place, of_place in deviations.items()
        }


def test_at_paper_scale_depth_starts_with_the_published_networks_and_rate():
    space = Depth("paper")
    expected = [
        GanConfig(generator_depth=depth, discriminator_depth=depth, batch_norm=place)
        for depth in (0, 3)
        for place in ("both", "generator")
    ]
    assert configs(space) == expected
    for first, config in zip(space.first_trials(), expected, strict=True):
        assert first.published == {"is_lenet_best": MNIST[config.batch_norm, config.generator_depth]}


def test_at_paper_scale_step_ratio_starts_with_the_settings_of_the_exercise():
    space = StepRatio("paper")
    started = configs(space)
    assert [(c.loss, c.g_steps, c.d_steps) for c in started] == [
        (loss, 1, d_steps) for d_steps in (1, 3) for loss in ("saturating", "non_saturating", "l2")
    ]
    for config in started:
        assert (config.generator, config.discriminator) == ("dcgan", "dcgan")
        assert (config.generator_lr, config.discriminator_lr) == (2e-4, 2e-4)
        assert (config.batch_size, config.latent_dim) == (128, 100)
    assert rounds_of(space.scale.rounds, 60_000, 128) == 15 * -(-60_000 // 128)
    assert rounds_of(space.scale.evaluate_every, 60_000, 128) == -(-60_000 // 128)


@pytest.mark.parametrize(("lead", "g", "d"), [(-4, 1, 5), (-2, 1, 3), (0, 1, 1), (1, 2, 1), (4, 5, 1)])
def test_the_lead_is_a_ratio_of_steps(lead, g, d):
    config = config_of(StepRatio("laptop"), {"loss": "l2", "lead": lead, "learning_rate": 1e-3})
    assert (config.g_steps, config.d_steps) == (g, d)


def test_step_ratio_takes_batch_norm_from_the_discriminator_for_the_gradient_penalty_alone():
    space = StepRatio("laptop")
    assert set(LOSSES) == set(ADVERSARIAL_LOSSES)
    for loss in LOSSES:
        config = config_of(space, {"loss": loss, "lead": 0, "learning_rate": 1e-3})
        assert config.batch_norm == ("generator" if loss == "wasserstein" else "both")


def test_balance_starts_with_both_directions_and_both_equal_pairs():
    depths = [(c.generator_depth, c.discriminator_depth) for c in configs(Balance("paper"))]
    assert sorted(depths) == [(0, 0), (0, 5), (5, 0), (5, 5)]


@pytest.mark.parametrize("space_type", [Depth, StepRatio, Balance])
def test_a_laptop_study_samples_more_than_it_is_told(space_type):
    space = space_type("laptop")
    assert space.scale.trials >= 2 * len(space.first_trials())


def test_claims_point_the_way_that_the_published_scores_do():
    """Every claim of the table's spaces holds for the mean of the published scores of its two groups."""
    for space, table in ((Table51("paper"), MNIST), (Table51Cifar10("paper"), CIFAR10)):
        for claim in space.claims():
            if claim.metric != "is_best":
                continue  # the table has scores only
            means = []
            for group in (claim.lower, claim.higher):
                scores = [s for (place, depth), s in table.items() if group({"depth": depth, "batch_norm": place})]
                means.append(sum(scores) / len(scores))
            assert means[0] < means[1], claim.text
