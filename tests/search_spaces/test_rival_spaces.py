"""The spaces of other GANs, of scores against unknown images, of digits as vectors and of faces."""

from __future__ import annotations

import optuna
import pytest
import torch

from search_spaces.faces import Faces
from search_spaces.rivals import Rivals
from search_spaces.space import rounds_of
from search_spaces.uncertainty import PAIRS, Uncertainty
from search_spaces.vector_digits import VectorDigits
from tests.trainables.data.test_faces import write_celeba
from trainables.data.cache import prepare
from trainables.methods.base import method_class
from trainables.networks import DISCRIMINATORS, GENERATORS

SCALES = ("smoke", "laptop", "paper")


def suggestions(space):
    """What each first trial is to run, by its name."""
    return {
        first.name: (first, space.suggest(optuna.trial.FixedTrial(dict(first.params))))
        for first in space.first_trials()
    }


def config_of(space, suggestion):
    settings = {**space.scale.fixed, **suggestion.config}
    return method_class(suggestion.method or space.method).Config(**settings)


# --- rivals


def test_the_rivals_have_the_published_figures_beside_them():
    published = {name: dict(first.published) for name, (first, _) in suggestions(Rivals("laptop")).items()}
    assert {name: figures for name, figures in published.items() if figures} == {
        "DCGAN": {"fid_inception_best": 10.85},
        "PresGAN": {"fid_inception_best": 42.01},
        "DuelGAN": {"fid_inception_best": 7.87},
    }


@pytest.mark.parametrize("scale", SCALES)
def test_all_rivals_train_the_same_networks_at_the_same_rates_with_one_thing_changed(scale):
    space = Rivals(scale)
    configs = {name: config_of(space, suggestion) for name, (_, suggestion) in suggestions(space).items()}
    names = ("generator", "discriminator", "generator_width", "discriminator_width", "latent", "latent_dim", "loss")
    assert len({tuple(getattr(config, name) for name in names) for config in configs.values()}) == 1
    assert configs["PresGAN"].lambda_entropy == configs["PresGAN as released"].lambda_entropy == 0.01
    written, released, none = (configs[name] for name in ("DuelGAN", "DuelGAN as released", "two discriminators"))
    for other in (released, none):
        assert other.model_copy(update={"duel": "as_written"}) == written
    assert written.duel_rounds == space.scale.rounds
    if scale != "paper":
        assert len({(c.generator_lr, c.discriminator_lr) for c in configs.values()}) == 1


# --- uncertainty


@pytest.mark.parametrize("scale", SCALES)
def test_uncertainty_has_every_method_in_both_directions(scale):
    space = Uncertainty(scale)
    pairs = [(s.method, s.dataset) for _, s in suggestions(space).values()]
    assert len(pairs) == len(set(pairs)) == 10
    assert {method for method, _ in pairs} == set(space.methods)
    assert {dataset for _, dataset in pairs} == set(PAIRS[scale].values())


def test_the_published_aurocs_stand_in_their_own_directions():
    """The thesis compares 0.998, of digits against clothing, with DUQ's 0.955, of clothing against digits."""
    published = {
        (s.method, s.dataset): dict(first.published) for first, s in suggestions(Uncertainty("paper")).values()
    }
    assert {pair: figures for pair, figures in published.items() if figures} == {
        ("discriminator_only", "mnist"): {"auroc_fashion_mnist": 0.998},
        ("duq", "fashion_mnist"): {"auroc_mnist": 0.955, "accuracy": 0.924},
    }


def test_at_paper_scale_every_method_is_trained_as_long_as_published():
    space = Uncertainty("paper")
    for _, suggestion in suggestions(space).values():
        epochs = {"duq": 30, "ensemble": 75, "discriminator_only": 40}.get(suggestion.method)
        if epochs is not None:
            assert round(space.scale.rounds * suggestion.pace) == epochs * -(-60_000 // 128)
            assert config_of(space, suggestion).batch_size == 128


# --- vector_digits


def test_vector_digits_has_both_readings_of_the_number_of_layers():
    space = VectorDigits("laptop")
    depths = set()
    for first, suggestion in suggestions(space).values():
        config = config_of(space, suggestion)
        assert suggestion.dataset == f"mnist5k:{first.params['digit']}"
        assert config.generator == {"tanh": "mlp_tanh", "linear": "mlp"}[first.params["output"]]
        assert (config.batch_size, config.latent, config.latent_scale, config.latent_dim) == (50, "uniform", 1.0, 784)
        depths.add(
            (first.params["counted"], first.params["layers"], config.generator_depth, config.discriminator_depth)
        )
    assert depths == {("layers", 3, 1, 2), ("layers", 4, 1, 3), ("hidden layers", 3, 2, 3), ("hidden layers", 4, 2, 4)}
    assert rounds_of(space.scale.rounds, 400, 50) == 100 * 400 // 50


def test_the_networks_of_vector_digits_have_the_parameters_of_50_units():
    made = GENERATORS["mlp_tanh"](shape=(1, 28, 28), latent_dim=784, depth=1, width=1.0, batch_norm=False)
    judged = DISCRIMINATORS["mlp"](shape=(1, 28, 28), depth=2, width=1.0, batch_norm=False)
    assert sum(p.numel() for p in made.parameters()) == 784 * 50 + 50 + 50 * 784 + 784
    assert sum(p.numel() for p in judged.parameters()) == 784 * 50 + 50 + 50 * 50 + 50 + 50 + 1


# --- faces


def test_faces_have_the_settings_of_the_exercise():
    space = Faces("paper")
    losses = []
    for _, suggestion in suggestions(space).values():
        config = config_of(space, suggestion)
        assert (config.generator, config.discriminator, config.batch_size) == ("dcgan", "dcgan", 128)
        assert (config.generator_lr, config.discriminator_lr, config.latent_dim) == (2e-4, 2e-4, 100)
        assert (config.g_steps, config.d_steps) == (1, 3)
        losses.append(config.loss)
    assert losses == ["saturating", "non_saturating", "l2"]
    assert space.scale.dataset == "celeba64"
    assert rounds_of(space.scale.rounds, 162_770, 128) == 15 * 1272


def test_a_few_faces_in_the_published_layout_can_be_trained_on(tmp_path, monkeypatch):
    monkeypatch.setenv("CELEBA_DIR", str(write_celeba(tmp_path / "faces")))
    space = Faces("smoke")
    _, suggestion = suggestions(space)["loss non_saturating"]
    dataset = prepare("celeba64", tmp_path / "cache")
    method = method_class("gan")(config_of(space, suggestion), dataset, torch.device("cpu"))
    method.train_round()
    assert method.sample(2, torch.Generator().manual_seed(0)).shape == (2, 3, 64, 64)
