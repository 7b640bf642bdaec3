"""Has a model collapsed onto a few images, or learned its training set by heart?

`duplicate_share` and `copying` compare pixels by Euclidean distance.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from trainables.metrics.distances import distances_to_nearest
from trainables.metrics.ood import auroc

CONFIDENT = 0.9
"""A classifier is sure of an image if its most probable class has more than this probability."""

NEAR = 0.25
"""Two images are near-duplicates if they are closer than this share of the usual distance between real neighbours."""


def class_entropy(probabilities: np.ndarray) -> float:
    """Entropy of the predicted classes over the images, in nats: 0 if all are of one class, `log K` if balanced.

    `probabilities` `(n, K)` come from a classifier. An image counts for its most probable class.
    """
    shares = np.bincount(probabilities.argmax(axis=1)) / len(probabilities)
    return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum()) + 0.0


def confident_share(probabilities: np.ndarray) -> float:
    """Share of the images, in [0, 1], of whose class a classifier is sure; `probabilities` `(n, K)` are its.

    Images that are noise or a blur of two classes have no sure class. Read it with the entropy of the classes: images
    of one class alone may all be sure.
    """
    return float((probabilities.max(axis=1) > CONFIDENT).mean())


def duplicate_share(images: Tensor, typical_distance: float) -> float:
    """Share of the images `(n, ...)`, n >= 2, that have another one within `NEAR * typical_distance`.

    `typical_distance` is the median distance of a real image to the nearest other one.
    """
    vectors = images.flatten(1)
    nearest = distances_to_nearest(vectors, vectors, k=2)
    return (nearest <= NEAR * typical_distance).double().mean().item()


def copying(sample_distances: np.ndarray, test_distances: np.ndarray) -> float:
    """Probability that a sample is nearer to the training images than a test image is. It should be 1/2.

    Near 1 the samples are copies of training images, near 0 they are unlike them. It is the statistic of Mann and
    Whitney on distances to the nearest training image (Meehan et al. 2020, arXiv:2004.05675, section 3).
    Both arguments are such distances, `(n,)` and `(m,)`. The distances of the test images need computing only once.
    """
    return auroc(test_distances, sample_distances)
