"""The features of real images, and what is computed from them once: generated images are compared with these."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainables.measures.settings import FeatureSettings
from trainables.metrics.collapse import class_entropy, confident_share
from trainables.metrics.frechet import ReferenceStatistics, frechet_distance, reference_statistics
from trainables.metrics.inception_score import inception_score
from trainables.metrics.kid import kernel_distance
from trainables.metrics.precision_recall import density_coverage, manifold_radii, precision_recall


@dataclass(frozen=True)
class Reference:
    """Real features `(n, d)`, float32, their mean and covariance, and the radii `(n,)` of their two manifolds."""

    features: Tensor
    statistics: ReferenceStatistics
    radii: Tensor
    """For precision and recall."""
    ball_radii: Tensor
    """For density and coverage, which count more neighbours."""

    @classmethod
    def of(cls, features: np.ndarray, settings: FeatureSettings, device: torch.device) -> Reference:
        """Compute everything from features `(n, d)`; raises `ValueError` if they are too few or not finite."""
        on_device = torch.from_numpy(features).float().to(device)
        radii, ball_radii = (manifold_radii(on_device, k) for k in (settings.neighbours, settings.ball_neighbours))
        return cls(on_device, reference_statistics(features), radii, ball_radii)


def feature_metrics(
    settings: FeatureSettings, reference: Reference, features: np.ndarray, probabilities: np.ndarray
) -> dict[str, float]:
    """Every metric of generated features `(m, d)` and class probabilities `(m, K)`, by its full name.

    If there are fewer samples than the settings ask for in a subset, subsets of the kernel distance are smaller. This
    changes its deviation, not its mean. Raises `ValueError` for too few features, and for other lengths.
    """
    generated = torch.from_numpy(features).to(reference.features.device)
    subset_size = min(settings.kid_subset_size, len(generated), len(reference.features))
    kid, _ = kernel_distance(reference.features, generated, settings.kid_subsets, subset_size, settings.seed)
    precision, recall = precision_recall(reference.features, generated, settings.neighbours, reference.radii)
    balls = settings.ball_neighbours
    density, coverage = density_coverage(reference.features, generated, balls, reference.ball_radii)
    score, deviation = inception_score(probabilities, settings.inception_splits)
    values = {
        "fid": frechet_distance(reference.statistics, features),
        "is": score,
        "kid": kid,
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "entropy": class_entropy(probabilities),
        "confident": confident_share(probabilities),
    }
    found = {settings.families()[name]: value for name, value in values.items()}
    return found if settings.inception_splits == 1 else found | {settings.splits_deviation: deviation}
