from __future__ import annotations

import numpy as np
import pytest
import torch

from trainables.data.cache import open_dataset
from trainables.data.tensors import to_tensor
from trainables.metrics.collapse import class_entropy, confident_share, copying, duplicate_share
from trainables.metrics.distances import distances_to_nearest


@pytest.fixture
def digits(cache_dir):
    dataset = open_dataset("digits", cache_dir)
    return to_tensor(dataset.train.examples), to_tensor(dataset.test.examples)


def distances(images, train):
    return distances_to_nearest(images.flatten(1), train.flatten(1)).numpy()


def test_entropy_counts_the_predicted_classes():
    assert class_entropy(np.eye(10)[[3, 3, 3]]) == 0.0
    assert class_entropy(np.eye(10)) == pytest.approx(np.log(10))
    undecided = np.full((100, 4), 0.25) + 1e-6 * np.eye(4)[[1] * 100]
    assert class_entropy(undecided) == 0.0
    assert class_entropy(np.eye(3)[[0, 0, 1]]) == pytest.approx(-(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)))


def test_a_classifier_is_sure_of_the_images_whose_class_has_nine_tenths():
    probabilities = np.array([[0.95, 0.03, 0.02], [0.04, 0.91, 0.05], [0.9, 0.1, 0.0], [0.5, 0.3, 0.2]])
    assert confident_share(probabilities) == 0.5
    assert confident_share(np.eye(3)) == 1.0
    assert confident_share(np.full((5, 10), 0.1)) == 0.0


def test_real_images_have_hardly_any_duplicates_and_collapsed_ones_nothing_else(digits):
    train, test = digits
    typical = float(np.median(distances(test, train)))
    assert duplicate_share(test, typical) < 0.02
    generator = torch.Generator().manual_seed(0)
    collapsed = test[:5].repeat(20, 1, 1, 1) + 0.01 * torch.randn(100, 1, 8, 8, generator=generator)
    assert duplicate_share(collapsed, typical) == 1.0
    half = torch.cat([test[:50], collapsed[:10] + 100.0])
    assert duplicate_share(half, typical) == pytest.approx(10 / 60, abs=0.02)


def test_copies_of_the_training_set_are_told_from_unseen_images_and_from_noise(digits):
    train, test = digits
    of_test = distances(test, train)

    def copied(images):
        return copying(distances(images, train), of_test)

    copies = train[:180]
    assert copied(test) == pytest.approx(0.5)
    assert copied(copies) == 1.0
    noise = torch.rand(100, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert copied(noise) < 0.01
    assert 0.6 < copied(torch.cat([copies, test[:180]])) < 0.9
