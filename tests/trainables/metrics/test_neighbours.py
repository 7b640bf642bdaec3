from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from trainables.metrics import neighbours
from trainables.metrics.neighbours import nearest_neighbours


@pytest.mark.parametrize("chunk", [4, 7, 1000])
@pytest.mark.parametrize("k", [1, 5, 50])
def test_agrees_with_scikit_learn(chunk: int, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "CHUNK", chunk)
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(9, 3, 4, 4, generator=generator)
    images = torch.randn(50, 3, 4, 4, generator=generator)
    distances, indices = nearest_neighbours(queries, images, k)
    oracle = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(images.flatten(1).double().numpy())
    expected_distances, expected_indices = oracle.kneighbors(queries.flatten(1).double().numpy())
    np.testing.assert_allclose(distances.numpy(), expected_distances, rtol=1e-5)
    np.testing.assert_array_equal(indices.numpy(), expected_indices)


def test_a_copy_is_found_at_distance_exactly_zero() -> None:
    images = torch.rand(100, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    distances, indices = nearest_neighbours(images[[70, 3]], images)
    assert distances.tolist() == [[0.0], [0.0]]
    assert indices.tolist() == [[70], [3]]


def test_bytes_are_compared_without_overflow() -> None:
    black, grey, white = (torch.full((1, 1, 2, 2), level, dtype=torch.uint8) for level in (0, 100, 255))
    distances, indices = nearest_neighbours(black, torch.cat([white, grey]), k=2)
    assert distances.tolist() == [[200.0, 510.0]]
    assert indices.tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("queries", "images", "k", "message"),
    [
        (torch.zeros(2, 1, 4, 4), torch.zeros(5, 1, 4, 5), 1, "same dtype and shape"),
        (torch.zeros(2, 4), torch.zeros(5, 4, dtype=torch.uint8), 1, "same dtype and shape"),
        (torch.zeros(2, 4), torch.zeros(5, 4), 6, "6 nearest among 5"),
        (torch.zeros(2, 4), torch.zeros(5, 4), 0, "0 nearest"),
    ],
)
def test_refuses_what_cannot_be_compared(queries: torch.Tensor, images: torch.Tensor, k: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nearest_neighbours(queries, images, k)
