from __future__ import annotations

import pytest

from trainables.errors import InputError
from trainables.metrics.names import direction


@pytest.mark.parametrize("name", ["fid", "fid_lenet", "fid_lenet_best", "fid_inception", "kid_lenet"])
def test_distances_are_minimized(name: str) -> None:
    assert direction(name) == "minimize"


@pytest.mark.parametrize("name", ["is_inception", "is_lenet_best", "auroc", "auroc_photo_patches", "recall_lenet"])
def test_scores_are_maximized(name: str) -> None:
    assert direction(name) == "maximize"


def test_an_unknown_metric_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(InputError, match="unknown metric family 'fidd': did you mean 'fid'"):
        direction("fidd_lenet")


def test_a_name_that_only_begins_like_a_family_is_refused() -> None:
    with pytest.raises(InputError, match="isolation"):
        direction("isolation_lenet")
