"""What generated images are compared with: the features of real ones, and all that can be derived from them once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainables.metrics.collapse import class_entropy
from trainables.metrics.frechet import ReferenceStatistics, frechet_distance, reference_statistics
from trainables.metrics.inception_score import inception_score
from trainables.metrics.kid import kernel_distance
from trainables.metrics.precision_recall import manifold_radii, precision_recall
from trainables.protocol import FeatureProtocol


@dataclass(frozen=True)
class Reference:
    """Real features `(n, d)`, float32 as networks give them, their Gaussian, and the radii `(n,)` of their manifold."""

    features: Tensor
    statistics: ReferenceStatistics
    radii: Tensor

    @classmethod
    def of(cls, features: np.ndarray, protocol: FeatureProtocol, device: torch.device) -> Reference:
        """Derive everything from features `(n, d)`; raises `ValueError` where they are too few or not finite."""
        on_device = torch.from_numpy(features).float().to(device)
        return cls(on_device, reference_statistics(features), manifold_radii(on_device, protocol.neighbours))


FEATURE_METRICS = ("fid", "is", "kid", "precision", "recall", "entropy")
"""What is measured on features and class probabilities; the extractor's name is added to each."""


def feature_metrics(
    protocol: FeatureProtocol, reference: Reference, features: np.ndarray, probabilities: np.ndarray
) -> dict[str, float]:
    """Every metric of generated features `(m, d)` and class probabilities `(m, K)`, by name.

    Subsets for the kernel distance are smaller than the protocol's where there are fewer samples, which changes its
    deviation, not its mean. Raises `ValueError` for too few or other features.
    """
    generated = torch.from_numpy(features).to(reference.features.device)
    subset_size = min(protocol.kid_subset_size, len(generated), len(reference.features))
    kid, _ = kernel_distance(reference.features, generated, protocol.kid_subsets, subset_size, protocol.seed)
    precision, recall = precision_recall(reference.features, generated, protocol.neighbours, reference.radii)
    fid = frechet_distance(reference.statistics, features)
    score, _ = inception_score(probabilities, protocol.inception_splits)
    values = (fid, score, kid, precision, recall, class_entropy(probabilities))
    return {f"{name}_{protocol.extractor}": value for name, value in zip(FEATURE_METRICS, values, strict=True)}
