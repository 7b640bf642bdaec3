"""Has a model collapsed onto a few images, or learned its training set by heart?

`duplicate_share` and `copying` compare pixels by Euclidean distance, so that a copy has the distance 0.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from trainables.data.tensors import to_tensor
from trainables.metrics.distances import CHUNK, distances_to_nearest, squared_distances
from trainables.metrics.ood import auroc

NEAR = 0.25
"""Two images are near-duplicates if they are closer than this share of the usual distance between real neighbours."""


def class_entropy(probabilities: np.ndarray) -> float:
    """Entropy of the predicted classes over the images, in nats: 0 if all are of one class, `log K` if balanced.

    `probabilities` `(n, K)` come from a classifier. An image counts for its most probable class.
    """
    shares = np.bincount(probabilities.argmax(axis=1)) / len(probabilities)
    return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum()) + 0.0


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
    Both arguments are `(n,)`, from `distances_to_training`. The distances of the test images need computing only once.
    """
    return auroc(test_distances, sample_distances)


@torch.inference_mode()
def distances_to_training(images: Tensor, training_images: np.ndarray) -> np.ndarray:
    """Distance `(n,)`, float64, of each image `(n, C, H, W)` in [-1, 1] to the nearest training image.

    Training images are uint8, `(m, C, H, W)`; they are read a chunk at a time, so they may be memory-mapped.
    """
    vectors = images.flatten(1)
    nearest = torch.full((len(images),), torch.inf, dtype=torch.float64, device=images.device)
    for start in range(0, len(training_images), CHUNK):
        chunk = to_tensor(training_images[start : start + CHUNK], images.device).flatten(1)
        nearest = torch.minimum(nearest, squared_distances(vectors, chunk).amin(dim=1))
    return nearest.sqrt().cpu().numpy()
