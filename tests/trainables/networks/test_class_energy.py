from __future__ import annotations

import pytest
import torch

from trainables.networks.class_energy import ClassEnergyDiscriminator


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_full_width_has_the_published_number_of_parameters():
    """[Yesilcimen 2022], table 4.3."""
    assert count(ClassEnergyDiscriminator((1, 28, 28), 10)) == 14_995_477


def test_quarter_width_counted_by_hand():
    convolutions = (9 * 1 * 64 + 64) + 2 * (9 * 64 * 64 + 64) + (9 * 64 * 16 + 16)
    features = 64 * 4 * 4 + 16 * 2 * 2
    linears = (features * 64 + 64) + (64 * 16 + 16) + (16 * 10 + 10) + (10 + 1)
    assert count(ClassEnergyDiscriminator((1, 8, 8), 10, width=0.25)) == convolutions + linears


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 9, 7)])
def test_takes_images_of_any_size_and_channels(shape):
    network = ClassEnergyDiscriminator(shape, num_classes=26, width=1 / 32)
    scores, energies = network(torch.zeros(5, *shape))
    assert scores.shape == (5,)
    assert energies.shape == (5, 26)


def test_the_score_is_a_linear_layer_on_the_class_energies():
    network = ClassEnergyDiscriminator((1, 8, 8), 10, width=1 / 32)
    scores, energies = network(torch.randn(3, 1, 8, 8))
    activated = torch.where(energies > 0, energies, 0.2 * energies)
    assert torch.allclose(scores, network.score(activated).squeeze(1))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 7)])
def test_the_way_to_gradients_for_images_is_the_same_convolution(shape):
    """Its values and both orders of its gradients, against PyTorch's convolution."""
    network = ClassEnergyDiscriminator(shape, num_classes=10, width=1 / 32).double()
    x = torch.randn(3, *shape, dtype=torch.float64, requires_grad=True)
    ours, theirs = network._first_convolution(x), network.conv1(x)
    assert torch.allclose(ours, theirs)
    weights = torch.randn_like(theirs)
    first = [torch.autograd.grad((maps.tanh() * weights).sum(), x, create_graph=True)[0] for maps in (ours, theirs)]
    assert torch.allclose(*first)
    second = [torch.autograd.grad(g.square().sum(), network.conv1.weight, retain_graph=True)[0] for g in first]
    assert torch.allclose(*second)


def test_spectral_norms_are_one_after_some_passes_in_training_mode():
    """Of a convolution it is the norm of the matrix with a row for each output, not that of the whole map."""
    torch.manual_seed(0)
    network = ClassEnergyDiscriminator((1, 8, 8), num_classes=10, width=1 / 16, spectral_norm=True)
    for _ in range(50):
        network(torch.randn(2, 1, 8, 8))
    network.eval()
    layers = [layer for layer in network.children() if hasattr(layer, "weight")]
    assert len(layers) == 8
    for layer in layers:
        assert torch.linalg.svdvals(layer.weight.flatten(1))[0].item() == pytest.approx(1.0, abs=1e-3)


def test_outside_training_mode_a_pass_changes_no_estimate():
    network = ClassEnergyDiscriminator((1, 8, 8), num_classes=10, width=1 / 16, spectral_norm=True).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(torch.randn(2, 1, 8, 8))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 7)])
@pytest.mark.parametrize("spectral_norm", [False, True])
def test_for_many_passes_of_small_images_the_outputs_and_gradients_are_the_same(shape, spectral_norm):
    network = ClassEnergyDiscriminator(shape, 10, 1 / 32, spectral_norm).double().eval().requires_grad_(False)
    outputs = network.for_passes(shape, images=1000)
    assert outputs is not network
    x = torch.randn(5, *shape, dtype=torch.float64, requires_grad=True)
    for ours, theirs in zip(outputs(x), network(x), strict=True):
        assert torch.allclose(ours, theirs)
        weights = torch.randn_like(theirs)
        gradients = [torch.autograd.grad((y * weights).sum(), x, retain_graph=True)[0] for y in (ours, theirs)]
        assert torch.allclose(*gradients)


@pytest.mark.parametrize(("shape", "images"), [((1, 28, 28), 10_000), ((1, 8, 8), 100)])
def test_for_large_images_and_few_passes_it_is_the_network_itself(shape, images):
    network = ClassEnergyDiscriminator(shape, 10, 1 / 16)
    assert network.for_passes(shape, images) is network
