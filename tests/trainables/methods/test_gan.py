from __future__ import annotations

import copy
from typing import get_args

import numpy as np
import pydantic
import pytest
import torch
from torch import nn

from trainables.adversarial_losses import ADVERSARIAL_LOSSES, LossName, gradient_penalty
from trainables.data.batches import EpochSampler
from trainables.data.dataset import Dataset, Split
from trainables.data.points import POINT_SETS
from trainables.data.subset import choose
from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.methods.base import NonFiniteLossError, sub_seed
from trainables.methods.gan import Gan, GanConfig
from trainables.methods.latents import Latents
from trainables.networks import DISCRIMINATORS, GENERATORS, DiscriminatorName, GeneratorName

CPU = torch.device("cpu")
TINY = {"generator_width": 1 / 16, "discriminator_width": 1 / 16, "batch_size": 16, "latent_dim": 7}


def make(dataset, **settings):
    return Gan(GanConfig(**{**TINY, **settings}), dataset, CPU)


def new_rng(seed=5):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def points():
    """Normal, around (3, -2), with deviation 0.5."""
    x = np.random.default_rng(0).normal((3, -2), 0.5, (300, 2)).astype(np.float32)
    return Dataset("points", Split(x[:200]), Split(x[200:]), num_classes=None)


def test_the_defaults_are_the_published_settings():
    """[Yamazaki 2017], appendix A."""
    config = GanConfig()
    assert (config.generator_lr, config.discriminator_lr, config.beta1) == (2e-4, 2e-4, 0.5)
    assert (config.batch_size, config.weight_decay, config.init_std) == (64, 1e-5, 0.02)
    assert (config.latent, config.latent_scale, config.latent_dim) == ("uniform", 1.0, 100)
    assert (config.loss, config.d_steps, config.g_steps, config.batch_norm) == ("non_saturating", 1, 1, "both")


def test_every_name_can_be_chosen():
    assert set(get_args(GeneratorName)) == set(GENERATORS)
    assert set(get_args(DiscriminatorName)) == set(DISCRIMINATORS)
    assert set(get_args(LossName)) == set(ADVERSARIAL_LOSSES)


@pytest.mark.parametrize("name", ["d_steps", "g_steps"])
def test_no_network_can_go_without_updates(name):
    with pytest.raises(pydantic.ValidationError, match=rf"{name}\n +Input should be greater than or equal to 1"):
        GanConfig(**{name: 0})


def test_a_gradient_penalty_is_refused_where_batch_norm_mixes_the_gradients():
    with pytest.raises(pydantic.ValidationError, match="set batch_norm to 'generator' or 'none'"):
        GanConfig(loss="wasserstein")
    assert GanConfig(loss="wasserstein", batch_norm="generator").lambda_gp == 10
    assert GanConfig(loss="wasserstein", lambda_gp=0.0).batch_norm == "both"


def test_steps_apart_are_refused_where_a_term_needs_both_kinds_of_data():
    with pytest.raises(pydantic.ValidationError, match="set discriminator_step to 'together', or lambda_gp to 0"):
        GanConfig(loss="wasserstein", batch_norm="none", discriminator_step="apart")


class PlainLoop:
    """The textbook's iteration: every forward pass made anew, every gradient taken, Adam without shortcuts."""

    def __init__(self, method, dataset):
        self.config = method.config
        self.dataset = dataset
        self.g, self.d = copy.deepcopy(method.generator), copy.deepcopy(method.discriminator)
        settings = {"betas": (method.config.beta1, 0.999), "weight_decay": method.config.weight_decay}
        self.g_adam = torch.optim.Adam(self.g.parameters(), lr=method.config.generator_lr, **settings)
        self.d_adam = torch.optim.Adam(self.d.parameters(), lr=method.config.discriminator_lr, **settings)
        self.rng = new_rng(sub_seed(method.config.seed, "training"))
        self.batches = EpochSampler(len(dataset.train), method.config.batch_size, self.rng)

    def latents(self):
        return torch.rand(self.config.batch_size, self.config.latent_dim, generator=self.rng) * 2 - 1

    def iterate(self):
        loss = ADVERSARIAL_LOSSES[self.config.loss]
        metrics = {"loss_discriminator": [], "loss_generator": [], "output_real": [], "output_generated": []}
        for _ in range(self.config.d_steps):
            z = self.latents()
            real = to_tensor(self.dataset.train.examples[self.batches.next().numpy()])
            fake = self.g(z).detach()
            if self.config.discriminator_step == "apart":
                fake_outputs = self.d(fake)
                self.update(self.d_adam, nn.functional.softplus(fake_outputs).mean())
                real_outputs = self.d(real)
                d_loss = nn.functional.softplus(-real_outputs).mean()
                self.update(self.d_adam, d_loss)
                metrics["loss_discriminator"].append(d_loss.item() + nn.functional.softplus(fake_outputs).mean().item())
                metrics["output_real"].append(torch.sigmoid(real_outputs).mean().item())
                metrics["output_generated"].append(torch.sigmoid(fake_outputs).mean().item())
                continue
            real_outputs, fake_outputs = self.d(real), self.d(fake)
            d_loss = loss.discriminator(real_outputs, fake_outputs)
            if self.config.loss == "wasserstein":
                shares = torch.rand(self.config.batch_size, generator=self.rng)
                d_loss = d_loss + self.config.lambda_gp * gradient_penalty(self.d, real, fake, shares)
            self.update(self.d_adam, d_loss)
            metrics["loss_discriminator"].append(d_loss.item())
            f = torch.sigmoid if self.config.loss in ("saturating", "non_saturating") else lambda s: s
            metrics["output_real"].append(f(real_outputs).mean().item())
            metrics["output_generated"].append(f(fake_outputs).mean().item())
        for step in range(self.config.g_steps):
            z = self.latents() if step > 0 else z
            g_loss = loss.generator(self.d(self.g(z)))
            self.update(self.g_adam, g_loss)
            metrics["loss_generator"].append(g_loss.item())
        return {name: np.mean(values) for name, values in metrics.items()}

    def update(self, adam, loss):
        adam.zero_grad()
        loss.backward()
        adam.step()
        (self.g if adam is self.d_adam else self.d).zero_grad()


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "non_saturating", "generator_depth": 1, "discriminator_depth": 1},
        {"loss": "saturating", "g_steps": 3, "weight_decay": 0.1},
        {"loss": "l2", "d_steps": 2, "g_steps": 2, "batch_norm": "generator"},
        {"loss": "wasserstein", "d_steps": 3, "batch_norm": "none"},
        {"loss": "non_saturating", "discriminator_step": "apart", "discriminator_depth": 1, "batch_norm": "generator"},
    ],
    ids=lambda settings: settings.get("discriminator_step", settings["loss"]),
)
def test_a_round_is_an_iteration_of_the_textbook(tiny_dataset, settings):
    method = make(tiny_dataset, generator_lr=1e-3, discriminator_lr=2e-3, seed=3, init_std=0.1, **settings)
    plain = PlainLoop(method, tiny_dataset)
    for _ in range(5):
        metrics, expected = method.train_round(), plain.iterate()
        assert {name: metrics[name] for name in expected} == pytest.approx(expected, rel=1e-4, abs=1e-5)
    for trained, network in ((method.generator, plain.g), (method.discriminator, plain.d)):
        expected = dict(network.named_parameters())
        for name, weight in trained.named_parameters():
            assert torch.allclose(weight, expected[name], atol=1e-4), name
            assert weight.requires_grad


def test_a_round_counts_what_it_generated(tiny_dataset):
    """The last batch that D saw is the first that G is updated on."""
    assert make(tiny_dataset, d_steps=2, g_steps=3).train_round()["images_generated"] == 16 * 4


@pytest.mark.parametrize(
    ("placement", "g_has", "d_has"),
    [("both", True, True), ("generator", True, False), ("discriminator", False, True), ("none", False, False)],
)
def test_batch_norm_is_in_the_networks_that_are_named(tiny_dataset, placement, g_has, d_has):
    networks = make(tiny_dataset, batch_norm=placement).networks()
    has = {name: any(isinstance(m, nn.BatchNorm2d) for m in network.modules()) for name, network in networks.items()}
    assert has == {"generator": g_has, "discriminator": d_has}


def test_latents_are_of_the_chosen_distribution_and_range(tiny_dataset):
    method = make(tiny_dataset, latent="normal", latent_scale=2.5, latent_dim=1000)
    assert method.latents == Latents("normal", 1000, 2.5)
    assert torch.equal(method._latents(new_rng()), 2.5 * torch.randn(16, 1000, generator=new_rng()))


@pytest.mark.parametrize("statistics", ["running", "batch"])
def test_samples_do_not_depend_on_how_many_are_asked_for(tiny_dataset, statistics):
    method = make(tiny_dataset, sampling_statistics=statistics)
    method.train_round()
    many = method.sample(40, new_rng())
    for n in (1, 16, 21):
        assert torch.equal(method.sample(n, new_rng()), many[:n])


@pytest.mark.parametrize("statistics", ["running", "batch"])
def test_batch_norm_samples_with_the_chosen_statistics_and_keeps_its_own(tiny_dataset, statistics):
    method = make(tiny_dataset, sampling_statistics=statistics)
    for _ in range(3):
        method.train_round()
    network = copy.deepcopy(method.generator).train(statistics == "batch")
    before = copy.deepcopy(method.generator.state_dict())
    expected = network(torch.rand(16, 7, generator=new_rng()) * 2 - 1)
    assert torch.allclose(method.sample(16, new_rng()), expected, atol=1e-6)
    assert all(torch.equal(value, before[name]) for name, value in method.generator.state_dict().items())
    assert method.generator.training


def test_every_evaluation_has_the_same_latents(tiny_dataset):
    method = make(tiny_dataset, generator_lr=1e-12)
    method.train_round()
    first = method.samples_to_evaluate(20, new_rng(1))
    assert torch.equal(first, method.samples_to_evaluate(20, new_rng(2)))
    assert not torch.equal(first, make(tiny_dataset, seed=1).samples_to_evaluate(20, new_rng(1)))


def test_the_averaged_generator_averages_weights_and_running_statistics(tiny_dataset):
    method = make(tiny_dataset, ema_decay=0.75, generator_lr=0.01)
    expected = {}
    for _ in range(4):
        method.train_round()
        for name, value in method.generator.state_dict().items():
            old = expected.get(name, value.double())
            expected[name] = 0.75 * old + 0.25 * value.double()
    averaged = method.networks()["generator"].state_dict()
    assert any("running_var" in name for name in averaged)
    for name, value in averaged.items():
        if value.is_floating_point():
            assert torch.allclose(value.double(), expected[name], atol=1e-6), name
    assert not torch.equal(method.sample(16, new_rng()), make(tiny_dataset).sample(16, new_rng()))


POINT_NETWORKS = {
    "generator": "residual_a",
    "discriminator": "residual_a",
    "generator_width": 1.0,
    "discriminator_width": 1.0,
    "init_std": 0.1,
    "batch_norm": "generator",
    "discriminator_lr": 2e-3,
}


def test_points_are_learned(points):
    """Their mean and their spread; they are not images, so nothing is cut off at 1.

    The generator circles around the data, the averaged one is in the middle.
    """
    method = make(points, **POINT_NETWORKS, generator_lr=2e-3, batch_size=64, ema_decay=0.98)
    for _ in range(350):
        method.train_round()
    samples = method.sample(500, new_rng())
    assert samples.shape == (500, 2)
    assert samples.mean(0).tolist() == pytest.approx([3, -2], abs=0.4)
    assert 0.2 < samples.std(0).mean() < 0.8


def test_real_data_score_higher_than_generated_ones_where_the_discriminator_alone_learns(points):
    method = make(points, **POINT_NETWORKS, generator_lr=1e-12)
    for _ in range(50):
        metrics = method.train_round()
    real, generated = method.score(torch.from_numpy(points.test.examples)), method.sample(100, new_rng())
    assert real.min() > method.score(generated).max()
    assert metrics["output_real"] > 0.8
    assert metrics["output_generated"] < 0.2


def test_a_discriminator_with_batch_norm_scores_real_data_as_it_does_in_training():
    """`M1_A` after 300 rounds: with statistics of real and generated data in one, 0.51 instead of 0.84."""
    roll = Dataset("swiss_roll", *POINT_SETS["swiss_roll"].splits(), num_classes=None)
    settings = {**POINT_NETWORKS, "batch_norm": "both", "generator_depth": 7, "discriminator_depth": 7}
    rates = {"generator_lr": 1e-4, "discriminator_lr": 1e-4}
    method = make(roll, **settings | rates, latent_dim=32, batch_size=64)
    outputs = [method.train_round()["output_real"] for _ in range(300)]
    scored = torch.sigmoid(method.score(to_tensor(roll.train.examples[:2000]))).mean().item()
    assert scored == pytest.approx(np.mean(outputs[-10:]), abs=0.05)
    assert scored > 0.7  # not near 1/2 by having learned nothing


@pytest.mark.parametrize("loss", ["hinge", "wasserstein"])
def test_a_loss_without_probabilities_is_refused_for_points(points, tiny_dataset, loss):
    settings = {"loss": loss, "batch_norm": "generator"}
    with pytest.raises(InputError, match=f"'{loss}' gives no probability that a point is real, and 'points' has"):
        make(points, **POINT_NETWORKS, loss=loss)
    assert make(tiny_dataset, **settings).train_round()


def test_least_squares_score_points_by_logits_and_images_by_outputs(points, tiny_dataset):
    for dataset, settings in ((points, POINT_NETWORKS), (tiny_dataset, {})):
        method = make(dataset, **settings, loss="l2")
        method.train_round()
        x = to_tensor(dataset.train.examples)
        network = copy.deepcopy(method.discriminator).eval()
        outputs = network(x).detach()
        expected = outputs.double().clamp(1e-6, 1 - 1e-6) if dataset is points else outputs.double().sigmoid()
        assert torch.allclose(method.score(x).double().sigmoid(), expected, atol=1e-5)


def test_least_squares_are_sure_of_points_that_lie_apart(points):
    method = make(points, **POINT_NETWORKS, loss="l2", generator_lr=1e-12)
    for _ in range(100):
        method.train_round()
    real, made = to_tensor(points.test.examples), method.sample(100, new_rng())
    assert torch.sigmoid(method.score(real)).mean() > 0.9
    assert torch.sigmoid(method.score(made)).mean() < 0.1


def parameters(method):
    return tuple(sum(p.numel() for p in network.parameters()) for network in method.networks().values())


def digits_of_28():
    images = np.zeros((70, 1, 28, 28), dtype=np.uint8)
    return Dataset("digits_of_28", Split(images), Split(images[:1]), num_classes=None)


@pytest.mark.parametrize(
    ("settings", "of_generator", "of_discriminator"),
    [
        ({"generator_depth": 1, "discriminator_depth": 1}, 804_993, 294_849),
        ({"generator_depth": 3, "discriminator_depth": 3}, 952_961, 885_697),
        (
            {
                "generator": "residual_b_after_stride",
                "discriminator": "residual_b_after_stride",
                "generator_depth": 3,
                "discriminator_depth": 3,
            },
            981_633,
            1_024_961,
        ),
        ({"generator": "dcgan_upsampling_32", "discriminator": "dcgan_upsampling_32"}, 1_049_985, 98_113),
    ],
    ids=["M1_B", "M3_B", "M3_B after the stride", "DCGAN of 1,148,098"],
)
def test_published_networks_of_images_can_be_chosen(settings, of_generator, of_discriminator):
    method = Gan(GanConfig(**settings), digits_of_28(), CPU)
    assert parameters(method) == (of_generator, of_discriminator)


@pytest.mark.parametrize("hidden", [2, 3, 4])
def test_the_vector_gan_can_be_chosen_in_both_readings(hidden):
    """[Tabak 2016], section 3.2: 784 latent numbers, and 3 or 4 layers in D, or 3 or 4 hidden ones."""
    settings = {"generator": "mlp_tanh", "discriminator": "mlp", "latent_dim": 784, "batch_norm": "none"}
    config = GanConfig(**settings, generator_depth=hidden - 1, discriminator_depth=hidden, batch_size=50)
    method = Gan(config, digits_of_28(), CPU)
    of_generator = 784 * 50 + 50 + (hidden - 2) * (50 * 50 + 50) + 50 * 784 + 784
    of_discriminator = 784 * 50 + 50 + (hidden - 1) * (50 * 50 + 50) + 50 + 1
    assert parameters(method) == (of_generator, of_discriminator)
    assert method.sample(3, new_rng()).shape == (3, 1, 28, 28)


def test_large_seeds_have_latents_of_their_own(tiny_dataset):
    """torch's generator on the CPU looks at the lower 32 bits alone."""
    seeds = [0, 500_000_000, 2**32, 2**32 + 500_000_000]
    drawn = [torch.rand(4, generator=new_rng(make(tiny_dataset, seed=seed).evaluation_seed)) for seed in seeds]
    assert len({tuple(numbers.tolist()) for numbers in drawn}) == len(seeds)


def test_any_generator_plays_against_any_discriminator_that_takes_its_data(tiny_dataset):
    metrics = make(tiny_dataset, generator="mlp_tanh", generator_depth=1, discriminator="dcgan").train_round()
    assert metrics["loss_generator"] > 0


def test_a_diverged_loss_is_an_error_that_names_it(tiny_dataset):
    method = make(tiny_dataset, init_std=1e20)
    with pytest.raises(NonFiniteLossError, match=r"loss_\w+ became (nan|inf) in round 1"):
        method.train_round()


# --- against collapse -----------------------------------------------------------------------------


def test_real_and_generated_examples_are_never_compared_with_each_other(tiny_dataset):
    """D's outputs on a real batch are the same whatever the generated batch is."""
    outputs = []
    for generated in (torch.zeros(16, 1, 8, 8), torch.rand(16, 1, 8, 8)):
        method = make(tiny_dataset, minibatch_kernels=4, batch_norm="none")
        method.discriminator.register_forward_hook(lambda module, inputs, output: outputs.append(output.detach()))
        method._update_discriminator(generated)
    of_real, of_generated = outputs[::2], outputs[1::2]
    assert [len(output) for output in outputs] == [16] * 4
    assert torch.equal(*of_real)
    assert not torch.equal(*of_generated)


def test_minibatch_discrimination_begins_with_the_scales_of_real_data(tiny_dataset):
    method = make(tiny_dataset, minibatch_kernels=4, batch_size=32)
    real = to_tensor(choose(tiny_dataset.train.examples, 32, 0))
    closeness = method.discriminator.minibatch(method.discriminator.features(real))[:, -4:]
    assert closeness.mean(0).abs().max() < 1e-4
    assert closeness.std() > 0.01


def test_the_generator_matches_the_mean_features_of_the_next_real_batch(tiny_dataset):
    settings = {"generator_loss": "feature_matching", "batch_norm": "none"}
    method = make(tiny_dataset, **settings, discriminator_lr=1e-12)
    batches = copy.deepcopy(method.real_batches)
    batches.rng = new_rng()
    batches.rng.set_state(method.rng.get_state())
    z = torch.rand(16, method.config.latent_dim, generator=batches.rng) * 2 - 1
    _, indices = batches.next(), batches.next()
    real = method.discriminator.features(to_tensor(tiny_dataset.train.examples[indices.numpy()]))
    fake = method.discriminator.features(method.generator(z))
    expected = (real.mean(0) - fake.mean(0)).square().mean().item()
    before = [copy.deepcopy(p) for p in method.discriminator.parameters()]
    assert method.train_round()["loss_generator"] == pytest.approx(expected, rel=1e-3)
    for old, weight in zip(before, method.discriminator.parameters(), strict=True):
        assert torch.allclose(old, weight, atol=1e-9)


def test_the_gradient_penalty_excludes_minibatch_discrimination():
    with pytest.raises(ValueError, match="set minibatch_kernels or lambda_gp to 0"):
        GanConfig(loss="wasserstein", batch_norm="generator", minibatch_kernels=2)
    assert GanConfig(loss="wasserstein", batch_norm="generator", minibatch_kernels=2, lambda_gp=0)


def test_a_batch_of_one_is_refused():
    with pytest.raises(ValueError, match=r"batch_size\n.*greater than or equal to 2"):
        GanConfig(batch_size=1, minibatch_kernels=2)
