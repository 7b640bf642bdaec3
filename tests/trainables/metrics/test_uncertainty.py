from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import entropy

from trainables.metrics.uncertainty import mutual_information, predictive_entropy


@pytest.fixture
def probabilities():
    return torch.randn(4, 20, 5, generator=torch.Generator().manual_seed(0)).mul(3).softmax(2)


def test_the_whole_uncertainty_is_scipys_entropy_of_the_mean(probabilities):
    expected = entropy(probabilities.double().mean(0).numpy(), axis=1)
    torch.testing.assert_close(
        predictive_entropy(probabilities).double(), torch.from_numpy(expected), atol=1e-5, rtol=0
    )


def test_disagreement_is_what_the_members_own_entropies_leave(probabilities):
    each = entropy(probabilities.double().numpy(), axis=2).mean(0)
    expected = entropy(probabilities.double().mean(0).numpy(), axis=1) - each
    found = mutual_information(probabilities)
    torch.testing.assert_close(found.double(), torch.from_numpy(expected), atol=1e-5, rtol=0)
    assert (found >= 0).all()


def test_members_that_agree_have_no_disagreement(probabilities):
    same = probabilities[:1].expand(3, -1, -1)
    assert mutual_information(same).abs().max() < 1e-6
    assert torch.allclose(predictive_entropy(same), predictive_entropy(probabilities[:1]), atol=1e-6)


def test_members_that_are_sure_of_different_classes_disagree_by_the_logarithm_of_their_number():
    sure = torch.eye(3)[:, None]
    assert mutual_information(sure).item() == pytest.approx(math.log(3))
    assert predictive_entropy(sure).item() == pytest.approx(math.log(3))
