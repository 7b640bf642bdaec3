from __future__ import annotations

import pytest
import torch

from trainables.attributes import Decoded, attribute_vector, class_change_rate, slant, success_rate, thickness

GENERATOR = torch.Generator().manual_seed(0)


def leaning(lean, side=28):
    """A vertical stroke that leans `lean` pixels to the right for each pixel upwards, drawn without rounding."""
    rows, columns = torch.meshgrid(torch.arange(side).double(), torch.arange(side).double(), indexing="ij")
    middle = (side - 1) / 2
    distance = columns - middle + lean * (rows - middle)
    ink = torch.exp(-distance.square() / 2) * (rows.sub(middle).abs() < 8)
    return (2 * ink - 1)[None, None]


@pytest.mark.parametrize("lean", [-0.5, 0.0, 0.3])
def test_the_slant_of_a_sheared_stroke_is_recovered(lean):
    assert slant(leaning(lean)).item() == pytest.approx(lean, abs=0.01)


def test_an_empty_image_has_no_slant_and_no_thickness():
    empty = torch.full((2, 1, 8, 8), -1.0)
    assert torch.equal(slant(empty), torch.zeros(2))
    assert torch.equal(thickness(empty), torch.zeros(2))
    assert thickness(torch.full((1, 3, 8, 8), 0.5)).item() == 0.75


def test_an_attribute_vector_is_a_difference_of_means():
    codes = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0]])
    assert torch.equal(attribute_vector(codes, torch.tensor([True, True, False])), torch.tensor([2.0, -5.0]))
    with pytest.raises(ValueError, match="with the attribute and examples without it"):
        attribute_vector(codes, torch.tensor([True, True, True]))


def world(n=200):
    """Codes (class, attribute, nothing) of two classes; an affine decoder shows the first two as pixels."""
    classes = torch.arange(n) % 2
    values = torch.rand(n, generator=GENERATOR)
    codes = torch.stack([classes.float(), values, torch.randn(n, generator=GENERATOR)], dim=1)
    decoded = Decoded(
        decode=lambda z: (2 * z[:, :2] - 1).view(-1, 1, 1, 2),
        classify=lambda images: (images[:, 0, 0, 0] > 0).long(),
        measure=lambda images: (images[:, 0, 0, 1] + 1) / 2,
    )
    return codes, classes, values, decoded


def test_arithmetic_always_succeeds_with_an_affine_decoder_and_shuffled_codes_seldom_do():
    rng = torch.Generator().manual_seed(1)
    assert success_rate(*world(), rng) == 1.0
    assert success_rate(*world(), rng, shuffled=True) < 0.3


def test_arithmetic_fails_where_the_class_is_lost():
    codes, classes, values, decoded = world()
    always_first = Decoded(decoded.decode, lambda images: torch.zeros(len(images), dtype=torch.long), decoded.measure)
    rate = success_rate(codes, classes, values, always_first, torch.Generator().manual_seed(2))
    assert 0.3 < rate < 0.7  # the triples that end in class 0


def test_arithmetic_fails_where_the_attribute_does_not_move():
    codes, classes, values, decoded = world()
    blind = Decoded(decoded.decode, decoded.classify, lambda images: torch.zeros(len(images)))
    assert success_rate(codes, classes, values, blind, torch.Generator().manual_seed(3)) == 0


def test_arithmetic_needs_two_classes_with_enough_codes():
    codes, classes, values, decoded = world(20)
    with pytest.raises(ValueError, match="two classes, each with 12 codes"):
        success_rate(codes, classes, values, decoded, torch.Generator())


def test_a_vector_from_class_to_class_always_succeeds_with_an_affine_decoder_and_shuffled_ones_never_do():
    codes, classes, _, decoded = world()
    rng = torch.Generator().manual_seed(4)
    assert class_change_rate(codes, classes, decoded, rng) == 1.0
    assert class_change_rate(codes, classes, decoded, rng, shuffled=True) < 0.1
    with pytest.raises(ValueError, match="codes of two classes"):
        class_change_rate(codes, torch.zeros_like(classes), decoded, rng)
