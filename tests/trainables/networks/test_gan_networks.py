"""The networks of the GAN family against the documents' tables, with every number of parameters counted by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from trainables.errors import InputError
from trainables.networks import DISCRIMINATORS, GENERATORS
from trainables.networks.layers import ChannelDropout, ResidualBlock, convolution, deconvolution, initialise

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

    @pytest.mark.parametrize("blocks", [0, 1, 3])
    def test_mnist(self, after, blocks):
        """Table A.2, `M0_B`, `M1_B` and `M3_B`: the first block has the stride, and a 1x1 layer as its shortcut."""
        on = after is norm

        def stage(before, maps):
            strided = 4 * 4 * before * maps + after(maps)
            plain = 3 * 3 * maps * maps + after(maps)
            projection = before * maps + after(maps)
            return strided if blocks == 0 else strided + plain + projection + (blocks - 1) * 2 * plain

        upwards = 7 * 7 * 100 * 128 + after(128) + stage(128, 64) + 4 * 4 * 64 * 1 + 1
        assert count(generator("residual_b", MNIST, blocks, batch_norm=on)) == upwards
        downwards = 4 * 4 * 1 * 64 + 64 + stage(64, 128) + 7 * 7 * 128 * 1 + 1
        assert count(discriminator("residual_b", MNIST, blocks, batch_norm=on)) == downwards

    @pytest.mark.parametrize("blocks", [0, 3])
    def test_mnist_with_blocks_behind_the_stride(self, after, blocks):
        """The other reading of table A.2, `M0_B` and `M3_B`."""
        on = after is norm
        upwards = 7 * 7 * 100 * 128 + after(128) + 4 * 4 * 128 * 64 + after(64) + 4 * 4 * 64 * 1 + 1
        block = 2 * (3 * 3 * 64 * 64 + after(64))
        assert count(generator("residual_b_after_stride", MNIST, blocks, batch_norm=on)) == upwards + blocks * block
        downwards = 4 * 4 * 1 * 64 + 64 + 4 * 4 * 64 * 128 + after(128) + 7 * 7 * 128 * 1 + 1
        block = 2 * (3 * 3 * 128 * 128 + after(128))
        assert (
            count(discriminator("residual_b_after_stride", MNIST, blocks, batch_norm=on)) == downwards + blocks * block
        )

    @pytest.mark.parametrize("blocks", [0, 1, 2])
    def test_cifar10(self, after, blocks):
        """Table A.2, `M0_C` to `M2_C`, which has two blocks in each of two places."""
        on = after is norm

        def stage(before, maps):
            strided = 4 * 4 * before * maps + after(maps)
            plain = 3 * 3 * maps * maps + after(maps)
            projection = before * maps + after(maps)
            return strided if blocks == 0 else strided + plain + projection + (blocks - 1) * 2 * plain

        upwards = 4 * 4 * 100 * 256 + after(256) + stage(256, 128) + stage(128, 64) + 4 * 4 * 64 * 3 + 3
        assert count(generator("residual_c", CIFAR10, blocks, batch_norm=on)) == upwards
        downwards = 4 * 4 * 3 * 64 + 64 + stage(64, 128) + stage(128, 256) + 4 * 4 * 256 * 1 + 1
        assert count(discriminator("residual_c", CIFAR10, blocks, batch_norm=on)) == downwards

    @pytest.mark.parametrize("blocks", [0, 2])
    def test_cifar10_with_blocks_behind_the_stride(self, after, blocks):
        """The other reading of table A.2, `M0_C` and `M2_C`."""
        on = after is norm
        upwards = 4 * 4 * 100 * 256 + after(256) + 4 * 4 * 256 * 128 + after(128) + 4 * 4 * 128 * 64 + after(64)
        upwards += 4 * 4 * 64 * 3 + 3
        both_blocks = 2 * (3 * 3 * 128 * 128 + after(128)) + 2 * (3 * 3 * 64 * 64 + after(64))
        assert (
            count(generator("residual_c_after_stride", CIFAR10, blocks, batch_norm=on))
            == upwards + blocks * both_blocks
        )
        downwards = 4 * 4 * 3 * 64 + 64 + 4 * 4 * 64 * 128 + after(128) + 4 * 4 * 128 * 256 + after(256)
        downwards += 4 * 4 * 256 * 1 + 1
        both_blocks = 2 * (3 * 3 * 128 * 128 + after(128)) + 2 * (3 * 3 * 256 * 256 + after(256))
        assert (
            count(discriminator("residual_c_after_stride", CIFAR10, blocks, batch_norm=on))
            == downwards + blocks * both_blocks
        )

    def test_dcgan_of_64_pixels(self, after):
        """Radford et al.: 4x4 with 512 maps up to 32x32 with 64, and the same way down."""
        on = after is norm
        between = 4 * 4 * (512 * 256 + 256 * 128 + 128 * 64)
        ends = 4 * 4 * 100 * 512 + after(512) + 4 * 4 * 64 * 3 + 3
        upwards = ends + between + after(256) + after(128) + after(64)
        assert count(generator("dcgan", CELEBA, batch_norm=on)) == upwards
        ends = 4 * 4 * 3 * 64 + 64 + 4 * 4 * 512 * 1 + 1
        assert count(discriminator("dcgan", CELEBA, batch_norm=on)) == ends + between + sum(map(after, (128, 256, 512)))

    def test_dcgan_with_upsampling(self, after):
        """PyTorch-GAN's at 1x32x32; its layers have biases also where BatchNorm follows."""
        on = after is norm
        norms = [norm(c) if on else 0 for c in (128, 128, 64)]
        upwards = 100 * 128 * 8 * 8 + 128 * 8 * 8 + 9 * 128 * 128 + 128 + 9 * 128 * 64 + 64 + 9 * 64 * 1 + 1
        assert count(generator("dcgan_upsampling", (1, 32, 32), batch_norm=on)) == upwards + sum(norms)
        norms = [norm(c) if on else 0 for c in (32, 64, 128)]
        downwards = 9 * 1 * 16 + 16 + 9 * 16 * 32 + 32 + 9 * 32 * 64 + 64 + 9 * 64 * 128 + 128 + 128 * 2 * 2 * 1 + 1
        assert count(discriminator("dcgan_upsampling", (1, 32, 32), batch_norm=on)) == downwards + sum(norms)

    def test_mlp(self, after):
        """[Tabak 2016]: G of 2 and D of 3 layers, 50 hidden units for digits as vectors, 11 for numbers."""
        on = after is norm
        assert count(generator("mlp", MNIST, 1, 100, batch_norm=on)) == 100 * 50 + after(50) + 50 * 784 + 784
        d = 784 * 50 + 50 + 50 * 50 + after(50) + 50 + 1
        assert count(discriminator("mlp", MNIST, 2, batch_norm=on)) == d
        assert count(generator("mlp", (1,), 1, 1, width=0.22, batch_norm=on)) == 11 + after(11) + 11 + 1
        assert count(discriminator("mlp", (1,), 2, width=0.22, batch_norm=on)) == 22 + 11 * 11 + after(11) + 11 + 1


@pytest.mark.parametrize(
    ("name", "depth", "of_generator", "of_discriminator"),
    [
        ("residual_b", 0, 759_681, 138_689),
        ("residual_b", 1, 804_993, 294_849),
        ("residual_b", 3, 952_961, 885_697),
        ("residual_b_after_stride", 0, 759_681, 138_689),
        ("residual_b_after_stride", 1, 833_665, 434_113),
        ("residual_b_after_stride", 3, 981_633, 1_024_961),
    ],
)
def test_parameters_of_the_mnist_networks(name, depth, of_generator, of_discriminator):
    """Table A.2 at full width, added up with pencil and paper."""
    assert count(generator(name, MNIST, depth)) == of_generator
    assert count(discriminator(name, MNIST, depth)) == of_discriminator


def test_parameters_of_the_published_dcgan():
    """[Yesilcimen 2022], table 4.3."""
    made, judged = generator("dcgan_upsampling", (1, 32, 32)), discriminator("dcgan_upsampling", (1, 32, 32))
    assert (count(made), count(judged)) == (1_049_985, 98_113)
    assert count(made) + count(judged) == 1_148_098


@pytest.mark.parametrize("shape", [MNIST, (1, 32, 32), DIGITS])
def test_the_published_dcgan_takes_smaller_images_with_a_border(shape):
    made, judged = generator("dcgan_upsampling_32", shape), discriminator("dcgan_upsampling_32", shape)
    assert (count(made), count(judged)) == (1_049_985, 98_113)


def test_the_border_is_black_and_what_is_made_there_is_not_shown():
    made, judged = (
        build("dcgan_upsampling_32", (1, 27, 28), width=1 / 8).eval() for build in (generator, discriminator)
    )
    images = made(torch.randn(5, 100))
    whole = made[0](torch.randn(5, 100, generator=torch.Generator().manual_seed(3)))
    assert images.shape == (5, 1, 27, 28)
    assert torch.equal(made[1](whole), whole[:, :, 2:29, 2:30])
    framed = torch.full((5, 1, 32, 32), -1.0)
    framed[:, :, 2:29, 2:30] = images
    assert torch.equal(judged(images), judged.layers[1:](framed))


@pytest.mark.parametrize("hidden", [2, 3, 4])
def test_parameters_of_both_readings_of_the_perceptrons_for_digits(hidden):
    """[Tabak 2016], section 3.2: 3 or 4 layers in D are 2 or 3 hidden ones, or 3 or 4; 784 latent numbers."""
    d = 784 * 50 + 50 + (hidden - 1) * (50 * 50 + 50) + 50 + 1
    assert count(discriminator("mlp", MNIST, hidden, batch_norm=False)) == d
    g = 784 * 50 + 50 + (hidden - 1) * (50 * 50 + 50) + 50 * 784 + 784
    assert count(generator("mlp_tanh", MNIST, hidden, latent_dim=784, batch_norm=False)) == g


@pytest.mark.parametrize("build", [generator, discriminator])
@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize(("name", "more"), [("residual_b", 0), ("residual_b_after_stride", 1)])
def test_c_blocks_are_2c_hidden_layers_and_one_more_where_the_plain_layer_stays(build, depth, name, more):
    """Between the first and the last layer, without the 1x1 shortcut."""
    layers = [m for m in build(name, DIGITS, depth, width=1 / 16).modules() if isinstance(m, LAYERS)]
    hidden = [m for m in layers[1:-1] if m.kernel_size != (1, 1)]
    assert len(hidden) == 2 * depth + more
    assert [m.kernel_size[0] for m in hidden] == [4, *(2 * depth + more - 1) * [3]]
    assert [m.stride[0] for m in hidden] == [2, *(2 * depth + more - 1) * [1]]


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
        *[("residual_b_after_stride", shape) for shape in (DIGITS, (1, 20, 12))],
        ("residual_c_after_stride", CIFAR10),
        *[("dcgan", shape) for shape in (DIGITS, MNIST, CIFAR10, CELEBA, (3, 48, 64))],
        *[("dcgan_upsampling", shape) for shape in (DIGITS, MNIST, CIFAR10, (3, 20, 12))],
        *[("dcgan_upsampling_32", shape) for shape in (DIGITS, MNIST, CIFAR10, (3, 21, 13))],
        *[("mlp", shape) for shape in (POINTS, (1,), MNIST)],
    ],
)
@pytest.mark.parametrize("batch_norm", [True, False])
def test_makes_and_judges_data_of_any_shape_that_it_can(name, shape, batch_norm):
    depth = 0 if name.startswith("dcgan") else 2
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
        ("dcgan_upsampling", (1, 30, 30), "sides divide by 4, and the data set's examples are 30x30"),
        ("dcgan_upsampling", POINTS, "sides divide by 4, and the data set's examples are 2"),
        ("dcgan_upsampling_32", CELEBA, "at most 32x32, and the data set's examples are 64x64"),
        ("dcgan_upsampling_32", POINTS, "at most 32x32, and the data set's examples are 2"),
    ],
)
def test_a_size_that_cannot_be_made_is_refused_with_those_that_can(name, shape, sentence):
    for build in (generator, discriminator):
        with pytest.raises(InputError, match=sentence):
            build(name, shape)


@pytest.mark.parametrize("name", ["dcgan", "dcgan_upsampling", "dcgan_upsampling_32"])
def test_a_dcgan_has_no_blocks(name):
    for build in (generator, discriminator):
        with pytest.raises(InputError, match="no residual blocks"):
            build(name, MNIST, depth=1)


class UpsamplingFormula:
    """The layers of PyTorch-GAN's DCGAN as plain formulas on the weights of ours, in evaluation mode."""

    @staticmethod
    def norm(x, layer):
        assert layer.eps == pytest.approx(0.8)
        return UpsamplingFormula.normalised(x, layer)

    @staticmethod
    def normalised(x, layer):
        mean, variance, scale, shift = (
            t[:, None, None] for t in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
        )
        return (x - mean) / (variance + layer.eps).sqrt() * scale + shift

    @classmethod
    def generate(cls, network, z):
        linear, _, norm, _, conv1, norm1, _, _, conv2, norm2, _, conv3, _ = network.layers
        h = cls.normalised((z @ linear.weight.T + linear.bias).view(len(z), norm.num_features, 2, 2), norm)
        for conv, after in ((conv1, norm1), (conv2, norm2)):
            h = torch.kron(h, torch.ones(2, 2, dtype=h.dtype))
            h = F.leaky_relu(cls.norm(F.conv2d(h, conv.weight, conv.bias, padding=1), after), 0.2)
        return torch.tanh(F.conv2d(h, conv3.weight, conv3.bias, padding=1))

    @classmethod
    def judge(cls, network, x):
        layers = [m for m in network.layers if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
        for i, layer in enumerate(layers):
            if isinstance(layer, nn.BatchNorm2d):
                x = cls.norm(x, layer)
            else:
                assert (i == 0) == (layer.in_channels == 1)
                x = F.leaky_relu(F.conv2d(x, layer.weight, layer.bias, stride=2, padding=1), 0.2)
        score = network.layers[-2]
        return (x.flatten(1) @ score.weight.T + score.bias).squeeze(1)


def test_the_upsampling_dcgan_is_its_formula():
    torch.manual_seed(0)
    made, judged = (build("dcgan_upsampling", DIGITS, width=1 / 8).double() for build in (generator, discriminator))
    for network in (made, judged):
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.running_mean, -1, 1)
                nn.init.uniform_(module.running_var, 0.1, 2)
                nn.init.normal_(module.weight, 1, 0.5)
                nn.init.normal_(module.bias)
        network.eval()
    z = torch.randn(5, 100, dtype=torch.float64)
    images = made(z)
    torch.testing.assert_close(images, UpsamplingFormula.generate(made, z))
    torch.testing.assert_close(judged(images), UpsamplingFormula.judge(judged, images))


@pytest.mark.parametrize(("side", "layers"), [(64, 4), (32, 4), (28, 4), (20, 4), (16, 3), (8, 2), (4, 1)])
def test_the_upsampling_dcgan_scores_no_single_pixel(side, layers):
    network = discriminator("dcgan_upsampling", (1, side, side), width=1 / 16)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [1, 2, 4, 8][:layers]
    assert network.layers[-2].in_features >= 4 * convolutions[-1].out_channels


def test_the_upsampling_dcgan_can_give_two_batches_different_mean_scores_though_they_are_normalised_apart():
    torch.manual_seed(0)
    network = discriminator("dcgan_upsampling", DIGITS)
    adam = torch.optim.Adam(network.parameters(), lr=2e-3)
    left = torch.linspace(-1, 1, 8).expand(64, *DIGITS)
    for _ in range(60):
        loss = F.softplus(-network(left)).mean() + F.softplus(network(left.flip(3))).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert loss < 0.7


class TestChannelDropout:
    def test_drops_whole_maps_as_often_as_it_says_and_keeps_the_mean(self):
        torch.manual_seed(0)
        x = torch.ones(400, 50, 3, 2)
        dropped = ChannelDropout(0.25)(x)
        assert torch.equal(dropped, dropped[:, :, :1, :1].expand_as(x))
        share = (dropped[:, :, 0, 0] == 0).double().mean().item()
        assert share == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / 20_000) ** 0.5)
        assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.75])

    def test_does_nothing_in_evaluation(self):
        x = torch.randn(4, 3, 2, 2)
        assert torch.equal(ChannelDropout(0.5).eval()(x), x)

    def test_goes_on_from_its_state_and_leaves_the_global_generator_alone(self):
        x = torch.ones(20, 30, 1, 1)
        first, second = ChannelDropout(0.5), ChannelDropout(0.5)
        before = torch.get_rng_state()
        first(x)
        second.load_state_dict(first.state_dict())
        expected = first(x)
        assert torch.equal(second(x), expected)
        assert not torch.equal(first(x), expected)
        assert torch.equal(torch.get_rng_state(), before)

    def test_the_global_generator_decides_what_is_drawn(self):
        """So that a config's seed does, inside `seeded_networks`."""

        def drawn(seed):
            torch.manual_seed(seed)
            return ChannelDropout(0.5)(torch.ones(20, 30, 1, 1))

        assert torch.equal(drawn(1), drawn(1))
        assert not torch.equal(drawn(1), drawn(2))


@pytest.mark.parametrize("name", ["residual_a", "residual_b", "residual_b_after_stride", "residual_c", "mlp"])
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
    block = ResidualBlock(nn.Linear(4, 4), nn.Linear(4, 4), activation)
    x = torch.randn(6, 4)
    before = x.clone()
    first, _, second = block.residual

    def f(x):
        return torch.where(x > 0, x, slope * x)

    assert torch.allclose(block(x), f(x + second(f(first(x)))))
    assert torch.equal(x, before)


def test_a_block_that_changes_the_shape_adds_a_projection_of_its_input():
    block = ResidualBlock(nn.Linear(4, 7), nn.Linear(7, 7), nn.ReLU(inplace=True), nn.Linear(4, 7))
    x = torch.randn(6, 4)
    first, _, second = block.residual
    assert torch.allclose(block(x), (block.shortcut(x) + second(first(x).relu())).relu())


def test_the_shortcut_of_a_stride_is_a_layer_that_takes_every_second_pixel_or_leaves_gaps():
    x = torch.randn(2, 3, 6, 8)
    down, up = convolution(3, 5, 1, 2, batch_norm=False), deconvolution(3, 5, 1, 2, batch_norm=False)
    weight, shift = down[0].weight[:, :, 0, 0], down[0].bias[:, None, None]
    torch.testing.assert_close(down(x), torch.einsum("oi,nihw->nohw", weight, x[:, :, ::2, ::2]) + shift)
    doubled, shift = up(x), up[0].bias[:, None, None]
    assert doubled.shape == (2, 5, 12, 16)
    weight = up[0].weight[:, :, 0, 0]
    torch.testing.assert_close(doubled[:, :, ::2, ::2], torch.einsum("io,nihw->nohw", weight, x) + shift)
    torch.testing.assert_close(doubled[:, :, 1::2], shift.expand(2, 5, 6, 16))
    torch.testing.assert_close(doubled[:, :, :, 1::2], shift.expand(2, 5, 12, 8))


def test_in_place_activations_leave_the_gradients_right():
    """By central differences, in float64, through a whole discriminator with blocks and BatchNorm."""
    torch.manual_seed(0)
    network = discriminator("residual_b", DIGITS, depth=2, width=1 / 16).double()
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


def test_the_networks_of_presgan_have_the_published_number_of_parameters():
    """[Yesilcimen 2022], table 4.3: 6,338,176. Layers of 4x4, no biases, BatchNorm but in the first and the last."""
    size = 16  # of a kernel
    made = generator("dcgan_without_biases", (1, 64, 64))
    stages = size * (100 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64 * 1)
    assert count(made) == stages + norm(512) + norm(256) + norm(128) + norm(64) == 3_574_656
    judged = discriminator("dcgan_without_biases", (1, 64, 64))
    stages = size * (1 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 1)
    assert count(judged) == stages + norm(128) + norm(256) + norm(512) == 2_763_520
    assert count(made) + count(judged) == 6_338_176
    assert made(torch.zeros(2, 100)).shape == (2, 1, 64, 64)
    assert judged(torch.zeros(2, 1, 64, 64)).shape == (2,)
