from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError
from skimage.transform import resize
from torch.nn import functional as F

from trainables.data.cache import prepare
from trainables.data.degradations import TASKS
from trainables.errors import InputError
from trainables.methods.restoration_gan import RestorationGan, RestorationGanConfig
from trainables.networks.restoration import PatchDiscriminator, RestorationGenerator, enlarged
from trainables.testing import MethodContract
from trainables.testing.data import tiny_images, tiny_points

CPU = torch.device("cpu")


class SuperResolutionConfig(RestorationGanConfig):
    @classmethod
    def tiny(cls, **settings):
        return super().tiny(**{"task": "x2", **settings})


class SuperResolution(RestorationGan):
    Config = SuperResolutionConfig


class TestSuperResolution(MethodContract):
    """Its degraded images are smaller than the originals."""

    method = SuperResolution

    @pytest.fixture
    def degraded(self, examples):
        return TASKS["x2"](examples, torch.Generator())


def build(**settings):
    return RestorationGan(RestorationGanConfig.tiny(**settings), tiny_images(), CPU)


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()]).clone()


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_an_untrained_network_is_the_baseline(factor):
    images = torch.rand(2, 3, 8, 8)
    generator = RestorationGenerator(channels=3, width=4, factor=factor)
    assert torch.equal(generator(images), enlarged(images, factor))


def test_enlarging_is_an_interpolation():
    """Smooth images are enlarged alike by torch's cubic convolution and by scikit-image's cubic splines."""
    axis = torch.linspace(0, math.pi, 16, dtype=torch.float64)
    image = torch.outer(axis.sin(), axis.cos())
    expected = resize(image.numpy(), (32, 32), order=3, mode="edge", anti_aliasing=False)
    ours = enlarged(image[None, None], 2)[0, 0].numpy()
    assert abs(ours - expected)[4:-4, 4:-4].max() < 2e-2


def test_without_an_adversarial_weight_no_discriminator_is_trained():
    method = build(adversarial_weight=0.0)
    before = weights(method.discriminator)
    metrics = method.train_round()
    assert torch.equal(weights(method.discriminator), before)
    assert metrics["loss_generator"] == metrics["loss_l1"]
    assert not {"loss_adversarial", "loss_discriminator"} & metrics.keys()


def test_the_loss_is_the_weighted_sum_of_its_terms():
    metrics = build(adversarial_weight=0.1).train_round()
    expected = 0.9 * metrics["loss_l1"] + 0.1 * metrics["loss_adversarial"]
    assert metrics["loss_generator"] == pytest.approx(expected, rel=1e-6)


def test_losses_are_cross_entropies_of_logits():
    method = build(adversarial_weight=0.5)
    logits = torch.tensor([-3.0, 0.5, 2.0])
    ones, zeros = torch.ones(3), torch.zeros(3)
    torch.testing.assert_close(F.softplus(-logits).mean(), F.binary_cross_entropy_with_logits(logits, ones))
    torch.testing.assert_close(F.softplus(logits).mean(), F.binary_cross_entropy_with_logits(logits, zeros))
    method.discriminator.layers[-1].weight.data.zero_()
    method.discriminator.layers[-1].bias.data.fill_(2.0)
    loss = method._update_discriminator(torch.zeros(8, 1, 8, 8), torch.zeros(8, 1, 8, 8)).item()
    sigmoid = 1 / (1 + math.exp(-2.0))
    assert loss == pytest.approx(-math.log(sigmoid) - math.log(1 - sigmoid), rel=1e-5)


def test_consistency_compares_degraded_images():
    """Enlarging by repetition loses nothing: made small again it is the input, so the loss is 0."""
    method = build(task="x2", compare_with="degraded")
    small = torch.rand(3, 1, 4, 4)
    large = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    originals = torch.rand(3, 1, 8, 8)
    assert method._l1(large, originals, small).item() == pytest.approx(0, abs=1e-7)
    to_truth = build(task="x2")._l1(large, originals, small)
    assert to_truth.item() == pytest.approx((large - originals).abs().mean().item())


def test_the_learning_rate_falls_as_a_cosine_to_a_tenth():
    method = build(lr=1e-2, decay_rounds=4)
    rates = []
    for _ in range(6):
        method.train_round()
        rates.append(method.generator_optimizer.param_groups[0]["lr"])
    assert rates[0] == pytest.approx(1e-2)
    assert rates[2] == pytest.approx(1e-2 * 0.55)
    assert rates[4:] == pytest.approx([1e-3, 1e-3])


def test_the_discriminator_scores_the_same_texture_alike_wherever_it_is():
    """It has no linear layer. Borders are padded, so the middle of large images is compared."""
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(1, 4).eval()
    image = torch.zeros(1, 1, 96, 96)
    image[:, :, 40:52, 40:52] = torch.rand(12, 12)
    moved = image.roll((8, -8), (2, 3))
    torch.testing.assert_close(discriminator(image), discriminator(moved))


def test_it_learns_to_take_noise_off(cache_dir):
    settings = {"task": "noise0.2", "adversarial_weight": 0.0, "generator_width": 8, "lr": 1e-2, "decay_rounds": 0}
    method = RestorationGan(RestorationGanConfig.tiny(**settings), prepare("digits", cache_dir), CPU)
    losses = [method.train_round()["loss_l1"] for _ in range(60)]
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


def test_points_and_images_of_a_wrong_size_are_refused():
    with pytest.raises(InputError, match="for images"):
        RestorationGan(RestorationGanConfig.tiny(), tiny_points(), CPU)
    with pytest.raises(InputError, match="covers images"):
        build(task="hole")
    with pytest.raises(ValidationError, match="x3"):
        RestorationGanConfig(task="x3")
