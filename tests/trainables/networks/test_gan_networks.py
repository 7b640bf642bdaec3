"""The networks of the GAN family against the documents' tables, with every number of parameters counted by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from trainables.errors import InputError
from trainables.networks import DISCRIMINATORS, GENERATORS
from trainables.networks.layers import ResidualBlock, initialise

POINTS, MNIST, CIFAR10, CELEBA, DIGITS = (2,), (1, 28, 28), (3, 32, 32), (3, 64, 64), (1, 8, 8)
LAYERS = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
BATCH_NORMS = nn.BatchNorm1d | nn.BatchNorm2d


def count(network):
    return sum(p.numel() for p in network.parameters())


def generator(name, shape, depth=0, latent_dim=100, width=1.0, batch_norm=True):
    return GENERATORS[name](shape=shape, latent_dim=latent_dim, depth=depth, width=width, batch_norm=batch_norm)


def discriminator(name, shape, depth=0, width=1.0, batch_norm=True):
    return DISCRIMINATORS[name](shape=shape, depth=depth, width=width, batch_norm=batch_norm)


def norm(channels):
    """Scale and shift of BatchNorm, in place of a bias."""
    return 2 * channels


def bias(channels):
    return channels


@pytest.mark.parametrize("after", [norm, bias], ids=["BatchNorm", "biases"])
class TestParametersCountedByHand:
    def test_points(self, after):
        """Table A.1: `M0_A` has 3 linear layers, `M1_A` 16, seven blocks of two instead of the second."""
        on = after is norm
        hidden = 32 * 32 + after(32)
        first, last = 32 * 32 + after(32), 32 * 2 + 2
        assert count(generator("residual_a", POINTS, 0, latent_dim=32, batch_norm=on)) == first + hidden + last
        assert count(generator("residual_a", POINTS, 7, latent_dim=32, batch_norm=on)) == first + 14 * hidden + last
        first, last = 2 * 32 + 32, 32 * 1 + 1
        assert count(discriminator("residual_a", POINTS, 0, batch_norm=on)) == first + hidden + last
        assert count(discriminator("residual_a", POINTS, 7, batch_norm=on)) == first + 14 * hidden + last

    @pytest.mark.parametrize("blocks", [0, 3])
    def test_mnist(self, after, blocks):
        """Table A.2, `M0_B` and `M3_B`."""
        on = after is norm
        upwards = 7 * 7 * 100 * 128 + after(128) + 4 * 4 * 128 * 64 + after(64) + 4 * 4 * 64 * 1 + 1
        block = 2 * (3 * 3 * 64 * 64 + after(64))
        assert count(generator("residual_b", MNIST, blocks, batch_norm=on)) == upwards + blocks * block
        downwards = 4 * 4 * 1 * 64 + 64 + 4 * 4 * 64 * 128 + after(128) + 7 * 7 * 128 * 1 + 1
        block = 2 * (3 * 3 * 128 * 128 + after(128))
        assert count(discriminator("residual_b", MNIST, blocks, batch_norm=on)) == downwards + blocks * block

    @pytest.mark.parametrize("blocks", [0, 2])
    def test_cifar10(self, after, blocks):
        """Table A.2, `M0_C` and `M2_C`, which has two blocks in each of two places."""
        on = after is norm
        upwards = 4 * 4 * 100 * 256 + after(256) + 4 * 4 * 256 * 128 + after(128) + 4 * 4 * 128 * 64 + after(64)
        upwards += 4 * 4 * 64 * 3 + 3
        both_blocks = 2 * (3 * 3 * 128 * 128 + after(128)) + 2 * (3 * 3 * 64 * 64 + after(64))
        assert count(generator("residual_c", CIFAR10, blocks, batch_norm=on)) == upwards + blocks * both_blocks
        downwards = 4 * 4 * 3 * 64 + 64 + 4 * 4 * 64 * 128 + after(128) + 4 * 4 * 128 * 256 + after(256)
        downwards += 4 * 4 * 256 * 1 + 1
        both_blocks = 2 * (3 * 3 * 128 * 128 + after(128)) + 2 * (3 * 3 * 256 * 256 + after(256))
        assert count(discriminator("residual_c", CIFAR10, blocks, batch_norm=on)) == downwards + blocks * both_blocks

    def test_dcgan_of_64_pixels(self, after):
        """Radford et al.: 4x4 with 512 maps up to 32x32 with 64, and the same way down."""
        on = after is norm
        between = 4 * 4 * (512 * 256 + 256 * 128 + 128 * 64)
        ends = 4 * 4 * 100 * 512 + after(512) + 4 * 4 * 64 * 3 + 3
        upwards = ends + between + after(256) + after(128) + after(64)
        assert count(generator("dcgan", CELEBA, batch_norm=on)) == upwards
        ends = 4 * 4 * 3 * 64 + 64 + 4 * 4 * 512 * 1 + 1
        assert count(discriminator("dcgan", CELEBA, batch_norm=on)) == ends + between + sum(map(after, (128, 256, 512)))

    def test_mlp(self, after):
        """Project of 2016: G of 2 and D of 3 layers, 50 hidden units for digits as vectors, 11 for numbers."""
        on = after is norm
        assert count(generator("mlp", MNIST, 1, 100, batch_norm=on)) == 100 * 50 + after(50) + 50 * 784 + 784
        d = 784 * 50 + 50 + 50 * 50 + after(50) + 50 + 1
        assert count(discriminator("mlp", MNIST, 2, batch_norm=on)) == d
        assert count(generator("mlp", (1,), 1, 1, width=0.22, batch_norm=on)) == 11 + after(11) + 11 + 1
        assert count(discriminator("mlp", (1,), 2, width=0.22, batch_norm=on)) == 22 + 11 * 11 + after(11) + 11 + 1


@pytest.mark.parametrize("name", ["residual_b", "residual_c"])
def test_width_multiplies_the_channels(name):
    def channels(network):
        return [m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm2d)]

    for build in (generator, discriminator):
        half, full = (channels(build(name, CIFAR10, depth=1, width=width)) for width in (0.5, 1.0))
        assert half == [c // 2 for c in full]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        *[("residual_a", shape) for shape in (POINTS, (1,), (5,))],
        *[("residual_b", shape) for shape in (DIGITS, MNIST, CIFAR10, (1, 20, 12))],
        *[("residual_c", shape) for shape in (DIGITS, CIFAR10, CELEBA)],
        *[("dcgan", shape) for shape in (DIGITS, MNIST, CIFAR10, CELEBA, (3, 48, 64))],
        *[("mlp", shape) for shape in (POINTS, (1,), MNIST)],
    ],
)
@pytest.mark.parametrize("batch_norm", [True, False])
def test_makes_and_judges_data_of_any_shape_that_it_can(name, shape, batch_norm):
    depth = 0 if name == "dcgan" else 2
    made = generator(name, shape, depth, latent_dim=5, width=1 / 16, batch_norm=batch_norm)(torch.randn(3, 5))
    assert made.shape == (3, *shape)
    assert discriminator(name, shape, depth, width=1 / 16, batch_norm=batch_norm)(made).shape == (3,)


@pytest.mark.parametrize("name", [*GENERATORS])
def test_the_output_is_that_of_a_tanh_but_for_points_and_linear_perceptrons(name):
    network = generator(name, CIFAR10, width=1 / 16)
    initialise(network, 10.0)
    largest = network(torch.randn(8, 100)).abs().max()
    assert (largest <= 1) == (name not in ("residual_a", "mlp"))


@pytest.mark.parametrize(
    ("name", "shape", "sentence"),
    [
        ("residual_b", (1, 30, 30), "sides divide by 4, and the data set's examples are 30x30"),
        ("residual_c", MNIST, "sides divide by 8, and the data set's examples are 28x28"),
        ("residual_c", POINTS, "sides divide by 8, and the data set's examples are 2"),
        ("dcgan", (1, 30, 30), "4, 5, 6 or 7 pixels times a power of two"),
        ("dcgan", (1, 6, 6), "4, 5, 6 or 7 pixels times a power of two"),
        ("dcgan", POINTS, "4, 5, 6 or 7 pixels times a power of two"),
    ],
)
def test_a_size_that_cannot_be_made_is_refused_with_those_that_can(name, shape, sentence):
    for build in (generator, discriminator):
        with pytest.raises(InputError, match=sentence):
            build(name, shape)


def test_a_dcgan_has_no_blocks():
    for build in (generator, discriminator):
        with pytest.raises(InputError, match="no residual blocks"):
            build("dcgan", MNIST, depth=1)


@pytest.mark.parametrize("name", ["residual_a", "residual_b", "residual_c", "mlp"])
def test_batch_norm_is_everywhere_but_at_the_output_of_g_and_the_first_layer_of_d(name):
    shape = POINTS if name == "residual_a" else DIGITS

    def followed_by_batch_norm(network):
        leaves = [
            m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | BATCH_NORMS)
        ]
        pairs = zip(leaves, [*leaves[1:], None], strict=True)
        return [isinstance(after, BATCH_NORMS) for layer, after in pairs if not isinstance(layer, BATCH_NORMS)]

    *hidden, output = followed_by_batch_norm(generator(name, shape, depth=2))
    assert all(hidden)
    assert not output
    first, *hidden, output = followed_by_batch_norm(discriminator(name, shape, depth=2))
    assert not first
    assert all(hidden)
    assert not output


@pytest.mark.parametrize(
    ("activation", "slope"), [(nn.ReLU(inplace=True), 0.0), (nn.LeakyReLU(0.2, inplace=True), 0.2)]
)
def test_a_block_adds_its_input_before_the_last_non_linearity(activation, slope):
    block = ResidualBlock(lambda: nn.Linear(4, 4), activation)
    x = torch.randn(6, 4)
    before = x.clone()
    first, _, second = block.residual

    def f(x):
        return torch.where(x > 0, x, slope * x)

    assert torch.allclose(block(x), f(x + second(f(first(x)))))
    assert torch.equal(x, before)


def test_in_place_activations_leave_the_gradients_right():
    """By central differences, in float64, through a whole discriminator with blocks and BatchNorm."""
    torch.manual_seed(0)
    network = discriminator("residual_b", DIGITS, depth=1, width=1 / 16).double()
    x = torch.randn(4, *DIGITS, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(network, x)


def test_initial_weights_are_normal_with_the_given_deviation_and_biases_zero():
    for network in (generator("residual_b", MNIST, 1, batch_norm=False), discriminator("residual_b", MNIST, 1)):
        initialise(network, 0.05)
        for module in network.modules():
            if isinstance(module, LAYERS):
                assert module.weight.mean().abs() < 5 * 0.05 / module.weight.numel() ** 0.5
                assert module.weight.std().item() == pytest.approx(0.05, rel=0.15)
                assert module.bias is None or not module.bias.any()
