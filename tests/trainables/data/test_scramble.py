from __future__ import annotations

import pytest
import torch

from trainables.data.scramble import scramble_strips


def columns_of(images):
    """Images whose pixels hold the number of their column."""
    return torch.arange(images[-1]).float().expand(images).clone()


def strips_kept(order, strip):
    """Whether `order` is a permutation of the strips that cutting `len(order)` columns by `strip` gives."""
    strips = [tuple(range(i, min(i + strip, len(order)))) for i in range(0, len(order), strip)]
    position = 0
    while position < len(order):
        match = next((s for s in strips if s == tuple(order[position : position + len(s)])), None)
        if match is None:
            return False
        strips.remove(match)
        position += len(match)
    return not strips


@pytest.mark.parametrize("width", [2, 7, 8, 28])
def test_permutes_whole_strips_of_each_image(width):
    scrambled = scramble_strips(columns_of((200, 1, 3, width)), 0.5, torch.Generator().manual_seed(0))
    for image in scrambled:
        order = [int(v) for v in image[0, 0]]
        assert sorted(order) == list(range(width))
        assert any(strips_kept(order, strip) for strip in range(1, max(1, width // 2) + 1))


def test_all_rows_and_channels_move_together():
    images = torch.randn(20, 3, 5, 8, generator=torch.Generator().manual_seed(1))
    moved = scramble_strips(images, 0.5, torch.Generator().manual_seed(2))
    order = scramble_strips(columns_of((20, 1, 1, 8)), 0.5, torch.Generator().manual_seed(2)).long()
    for image, result, columns in zip(images, moved, order[:, 0, 0], strict=True):
        assert torch.equal(result, image[:, :, columns])


def test_no_image_stays_as_it_was():
    images = columns_of((500, 1, 1, 8))
    scrambled = scramble_strips(images, 1.0, torch.Generator().manual_seed(0))
    assert (scrambled != images).flatten(1).any(dim=1).all()


def test_strip_widths_cover_the_range():
    scrambled = scramble_strips(columns_of((2000, 1, 1, 8)), 0.5, torch.Generator().manual_seed(0))
    neighbours = (scrambled[..., 1:] - scrambled[..., :-1] == 1).float().mean(dim=-1)
    assert neighbours.min() < 0.2
    assert neighbours.max() > 0.8


def test_the_generator_decides():
    images = torch.randn(10, 1, 4, 8)
    first, second = (scramble_strips(images, 0.5, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
