"""The settings of `discriminator_only` that its document does not have, each against what it has to do."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from trainables.errors import InputError
from trainables.methods.discriminator_only import DiscriminatorOnly, DiscriminatorOnlyConfig
from trainables.testing import MethodContract
from trainables.testing.data import tiny_images

CPU = torch.device("cpu")


class EnergyBasedConfig(DiscriminatorOnlyConfig):
    @classmethod
    def tiny(cls, **settings):
        others = {"spectral_norm": True, "ema_decay": 0.5, "gradient_penalty": "r1", "decay_rounds": 4}
        starts = {"start": "earlier", "earlier_share": 0.8, "buffer_size": 40, "earlier_noise": 0.1}
        of_updates = {"update_noise": 0.01, "clip_images": True, "discriminator_updates": 2}
        return super().tiny(**{"fakes": "just_made", **others, **starts, **of_updates, **settings})


class EnergyBased(DiscriminatorOnly):
    Config = EnergyBasedConfig


class FromNoiseConfig(EnergyBasedConfig):
    @classmethod
    def tiny(cls, **settings):
        return super().tiny(**{"sample_updates": 5, "fakes": "recent", **settings})


class FromNoise(DiscriminatorOnly):
    Config = FromNoiseConfig


class TestEnergyBased(MethodContract):
    """With all settings that energy-based models are usually trained with."""

    method = EnergyBased


class TestFromNoise(MethodContract):
    """The same, but new images are made from noise, and fakes are drawn from the newest images."""

    method = FromNoise


def make(**settings):
    return DiscriminatorOnly(DiscriminatorOnlyConfig.tiny(**settings), tiny_images(), CPU)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


class Seen:
    """The batches that a discriminator gets in training mode: a real and a fake one in turns."""

    def __init__(self, method):
        self.batches = []
        method.discriminator.register_forward_pre_hook(self._note)

    def _note(self, network, inputs):
        if network.training:
            self.batches.append(inputs[0].detach().clone())

    @property
    def fakes(self):
        return self.batches[1::2]


# --- fakes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("updates", [1, 3])
def test_just_made_fakes_are_the_rounds_own_images_at_each_update(updates):
    method = make(fakes="just_made", discriminator_updates=updates, initial_epochs=0)
    for _ in range(2):
        seen = Seen(method)
        method.train_round()
        made = method.epoch_images.images[-16:].float() / 127.5 - 1
        assert len(seen.fakes) == updates
        for fakes in seen.fakes:
            assert (fakes.clamp(-1, 1) - made).abs().max() <= 1 / 255 + 1e-6


def test_each_update_has_a_real_batch_of_its_own_and_the_metrics_are_means():
    method = make(fakes="just_made", discriminator_updates=2, initial_epochs=0, lambda_ce=0.0, lambda_gnorm=0.0)
    seen = Seen(method)
    scores = []
    method.discriminator.register_forward_hook(
        lambda network, _, outputs: scores.append(outputs[0].mean().item()) if network.training else None
    )
    metrics = method.train_round()
    first, second = seen.batches[0::2]
    assert not torch.equal(first, second)
    assert metrics["score_real"] == pytest.approx((scores[0] + scores[2]) / 2, rel=1e-5)
    assert metrics["score_pool"] == pytest.approx((scores[1] + scores[3]) / 2, rel=1e-5)


def test_recent_fakes_are_drawn_from_the_newest_images():
    method = make(fakes="recent", pool_size=0.5, fake_batches=4, initial_epochs=0)
    seen = Seen(method)
    for _ in range(5):
        method.train_round()
    newest = {tuple(image.flatten().tolist()) for image in method.epoch_images.images[-30:]}
    drawn = [tuple(image.flatten().tolist()) for image in ((seen.fakes[-1] + 1) * 127.5).round().to(torch.uint8)]
    assert len(drawn) == 64
    assert set(drawn) <= newest
    assert len(set(drawn)) > 20


# --- starts -----------------------------------------------------------------------------------------


def test_the_share_of_earlier_starts():
    """The number of starts from noise is binomial: within four deviations of its mean."""
    method = make(start="earlier", earlier_share=0.7, batch_size=500, buffer_size=500, initial_epochs=0)
    method.train_round()
    starts = method.starts(rng(1), method._order(rng(2)))
    earlier = {tuple(image.flatten().tolist()) for image in method.earlier.take(torch.arange(500))}
    from_earlier = sum(tuple(image.flatten().tolist()) in earlier for image in starts)
    assert abs(from_earlier - 350) < 4 * (500 * 0.7 * 0.3) ** 0.5


def test_no_earlier_image_starts_twice_in_a_batch():
    method = make(start="earlier", earlier_share=1.0, buffer_size=16, initial_epochs=0)
    method.train_round()
    starts = method.starts(rng(1), method._order(rng(2))).flatten(1)
    assert torch.equal(torch.sort(starts, 0)[0], torch.sort(method.earlier.take(torch.arange(16)).flatten(1), 0)[0])


def test_the_first_round_starts_from_noise():
    one, other = make(start="earlier", initial_epochs=0), make(initial_epochs=0)
    assert one.train_round()["score_generated"] == other.train_round()["score_generated"]


def test_noise_on_earlier_images_has_its_deviation():
    settings = {"start": "earlier", "earlier_share": 1.0, "batch_size": 500, "buffer_size": 500, "initial_epochs": 0}
    plain, noisy = make(**settings), make(**settings, earlier_noise=0.3)
    for method in (plain, noisy):
        method.earlier.add(torch.zeros(500, 1, 8, 8))
    noise = noisy.starts(rng(1), noisy._order(rng(2))) - plain.starts(rng(1), plain._order(rng(2)))
    assert noise.std().item() == pytest.approx(0.3, rel=0.02)


def test_the_buffer_holds_what_was_made_last():
    method = make(start="earlier", buffer_size=20, initial_epochs=0)
    for _ in range(3):
        method.train_round()
    assert torch.equal(method.earlier.images, method.epoch_images.images[-20:])


# --- the discriminator ------------------------------------------------------------------------------


def test_the_rate_falls_linearly_to_a_twentieth_and_stays():
    method = make(decay_rounds=4, discriminator_lr=2e-3, initial_epochs=0)
    rates = []
    for _ in range(6):
        method.train_round()
        rates.append(method.optimizer.param_groups[0]["lr"] / 2e-3)
    assert rates == pytest.approx([1, 0.7625, 0.525, 0.2875, 0.05, 0.05])


def test_the_average_is_the_closed_form_over_all_updates():
    """`a = m^(K-1) w_1 + (1 - m) sum_k m^(K-k) w_k`, which starts from the weights after the first update."""
    method = make(ema_decay=0.8, discriminator_updates=2)
    weights = []
    method.optimizer.register_step_post_hook(
        lambda *_: weights.append(method.discriminator.linear1.weight.detach().double().clone())
    )
    method.train_round()
    del weights[:-2]  # the initial training is not averaged
    method.train_round()
    expected = 0.8**3 * weights[0] + 0.2 * sum(0.8 ** (3 - k) * weights[k] for k in range(1, 4))
    assert torch.allclose(method.averaged.module.linear1.weight.double(), expected, atol=1e-7)


def test_new_images_are_made_by_the_average_and_those_of_the_run_are_not():
    averaged, plain = make(ema_decay=0.9), make()
    for method in (averaged, plain):
        method.train_round()
        method.train_round()
    assert torch.equal(averaged.epoch_images.images, plain.epoch_images.images)
    plain.discriminator.load_state_dict(averaged.averaged.module.state_dict())
    assert torch.equal(averaged.sample(20, rng()), plain.sample(20, rng()))


def test_r1_replaces_the_norm_in_the_loss():
    metrics = make(gradient_penalty="r1", lambda_gnorm=3.0, lambda_ce=0.0).train_round()
    assert "gradient_norm" not in metrics
    assert metrics["loss_discriminator"] == pytest.approx(metrics["loss_hinge"] + 3.0 * metrics["r1"], rel=1e-5)


def test_the_spectral_norm_bounds_every_layer():
    method = make(spectral_norm=True, discriminator_lr=0.05, lambda_gnorm=0.0, width=1 / 16)
    unbounded = make(discriminator_lr=0.05, lambda_gnorm=0.0, width=1 / 16)
    for one in (method, unbounded):
        for _ in range(10):
            one.train_round()

    def largest(one):
        return max(
            torch.linalg.svdvals(layer.weight.flatten(1))[0].item()
            for layer in one.discriminator.children()
            if hasattr(layer, "weight")
        )

    assert largest(method) < 1.3 < largest(unbounded)


# --- new images -------------------------------------------------------------------------------------


def test_new_images_go_on_from_the_exported_buffer_each_image_once():
    """With updates too small to see: the images of the buffer come back, none twice."""
    settings = {"start": "earlier", "earlier_share": 1.0, "buffer_size": 40}
    method = make(**settings, image_lr=1e-6, max_updates=1)
    for _ in range(3):
        method.train_round()
    new = make(**settings, image_lr=1e-6, max_updates=1, seed=5)
    for name, network in new.networks().items():
        network.load_state_dict(copy.deepcopy(method.networks()[name].state_dict()))
    made = {tuple(i.flatten().tolist()) for i in ((new.sample(40, rng()) + 1) * 127.5).round().to(torch.uint8)}
    assert made == {tuple(image.flatten().tolist()) for image in method.earlier.images}


def test_new_images_from_noise_are_made_by_as_many_updates_as_asked_for():
    """Whatever was generated earlier: as with a method that always starts from noise, and has that limit."""
    short = make(start="earlier", sample_updates=7)
    long = make(max_updates=7, seed=3)
    short.train_round()
    short.train_round()
    long.discriminator.load_state_dict(short.discriminator.state_dict())
    assert torch.equal(short.sample(20, rng()), long.sample(20, rng()))


def test_noise_in_the_updates_comes_from_the_generator_of_the_call():
    method = make(update_noise=0.2)
    method.train_round()
    assert torch.equal(method.sample(5, rng(1)), method.sample(5, rng(1)))
    assert not torch.equal(method.sample(5, rng(1)), make().sample(5, rng(1)))


def test_fakes_of_clipped_generation_are_in_the_range_of_the_data():
    made = [make(image_lr=1.0, clip_images=clip)._generate().images.abs().max() for clip in (False, True)]
    assert made[0] > 1.5
    assert made[1] == 1.0


# --- refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"start": "earlier", "earlier_share": 0.0}, "earlier_share is 0, so no image would start from an earlier one"),
        ({"start": "earlier", "buffer_size": 100}, "buffer_size 100 is less than a batch: set it to 128"),
        ({"gradient_penalty": "r1", "gradient_norm_reading": "batch_mean"}, "gradient_norm_reading is of the norm"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, sentence):
    with pytest.raises(ValidationError, match=sentence):
        DiscriminatorOnlyConfig(**settings)


def test_the_cross_entropy_is_refused_without_labels():
    images = tiny_images()
    train, test = (replace(split, labels=None) for split in (images.train, images.test))
    unlabelled = replace(images, train=train, test=test, num_classes=None)
    with pytest.raises(InputError, match="the cross-entropy term needs labels"):
        DiscriminatorOnly(DiscriminatorOnlyConfig.tiny(), unlabelled, CPU)
