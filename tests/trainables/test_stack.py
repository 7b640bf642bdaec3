"""Members trained as one stacked model, against the same members trained alone."""

from __future__ import annotations

import pytest
import torch

from trainables.methods.discriminator_only import DiscriminatorOnly
from trainables.methods.discriminator_only_points import DiscriminatorOnlyPoints
from trainables.methods.gan import Gan
from trainables.methods.presgan import PresGan
from trainables.networks.stacked import NotStackableError
from trainables.stack import Stack, can_stack
from trainables.testing import StackContract
from trainables.testing.data import tiny_images, tiny_points

CPU = torch.device("cpu")
POINTS = {
    "generator": "residual_a",
    "discriminator": "residual_a",
    "generator_width": 0.25,
    "discriminator_width": 0.25,
}
PERCEPTRON = {"generator": "mlp", "discriminator": "mlp", "batch_norm": "none"}
PENALISED = {"loss": "wasserstein", "batch_norm": "generator", "d_steps": 2, "g_steps": 2}
DCGAN = {"generator": "dcgan", "discriminator": "dcgan", "generator_depth": 0, "discriminator_depth": 0}
TERMS = {"lambda_gnorm": 0.1, "lambda_ce": 1e-3, "lambda_tv": 0.1, "lambda_stat": 1.0}
CASES = {
    "gan of points": (Gan, tiny_points, POINTS),
    "gan of points, no BatchNorm in D": (Gan, tiny_points, {**POINTS, "batch_norm": "generator", "loss": "saturating"}),
    "gan of points, steps apart": (Gan, tiny_points, {**POINTS, "discriminator_step": "apart"}),
    "perceptrons of points": (Gan, tiny_points, {**PERCEPTRON, "latent": "normal", "loss": "l2"}),
    "perceptrons of images": (Gan, tiny_images, {**PERCEPTRON, "generator": "mlp_tanh", "loss": "hinge"}),
    "residual gan": (Gan, tiny_images, {"ema_decay": 0.5}),
    "gan with a gradient penalty": (Gan, tiny_images, PENALISED),
    "dcgan, features matched": (Gan, tiny_images, {**DCGAN, "generator_loss": "feature_matching"}),
    "discriminator on points": (DiscriminatorOnlyPoints, tiny_points, {"lambda_gnorm": 1.0}),
    "discriminator on points, full pool": (DiscriminatorOnlyPoints, tiny_points, {"pool_size": 0.5}),
    "discriminator on images": (DiscriminatorOnly, tiny_images, TERMS),
    "discriminator on images, batch mean": (
        DiscriminatorOnly,
        tiny_images,
        {**TERMS, "gradient_norm_reading": "batch_mean", "fakes": "recent", "ema_decay": 0.9, "decay_rounds": 4},
    ),
    "discriminator on images, earlier starts": (
        DiscriminatorOnly,
        tiny_images,
        {"start": "earlier", "fakes": "just_made", "gradient_penalty": "r1", "lambda_gnorm": 0.1, "update_noise": 0.01},
    ),
    "discriminator on images, stops by itself": (DiscriminatorOnly, tiny_images, {"image_lr": 0.5, "max_updates": 9}),
}


class TestStackable(StackContract):
    @pytest.fixture(params=CASES)
    def case(self, request):
        return CASES[request.param]

    @pytest.fixture
    def method_type(self, case):
        return case[0]

    @pytest.fixture
    def dataset(self, case):
        return case[1]()

    @pytest.fixture
    def settings(self, case):
        return case[2]


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (PresGan, {}),
        (Gan, {"minibatch_kernels": 3}),
        (Gan, {**DCGAN, "generator": "dcgan_upsampling", "discriminator": "dcgan_upsampling"}),
        (DiscriminatorOnly, {"spectral_norm": True}),
    ],
)
def test_what_has_parts_that_cannot_be_stacked_says_so(method, settings):
    members = [method(method.Config.tiny(seed=seed, **settings), tiny_images(), CPU) for seed in range(2)]
    assert not can_stack(members)
    with pytest.raises(NotStackableError):
        Stack(members)


def test_a_step_cannot_take_what_belongs_to_one_member():
    members = [Gan(Gan.Config.tiny(seed=seed), tiny_images(), CPU) for seed in range(2)]
    method = Stack(members).method
    for name in ("rng", "real_batches", "evaluation_seed"):
        with pytest.raises(AttributeError, match=name):
            getattr(method, name)
