"""Metrics as pure functions, and the classifier that the `_lenet` ones take their features from."""

from trainables.metrics.classifier import ClassifierExtractor, load_classifier, prepare_classifier
from trainables.metrics.frechet import (
    ReferenceStatistics,
    frechet_distance,
    frechet_distance_of_moments,
    reference_statistics,
)
from trainables.metrics.inception_score import inception_score
from trainables.metrics.names import DIRECTIONS, Direction, direction
from trainables.metrics.neighbours import nearest_neighbours
from trainables.metrics.ood import auroc
from trainables.metrics.points import distance_to_curve, energy_distance, mean_distance, mode_coverage, undecided_share

__all__ = [
    "DIRECTIONS",
    "ClassifierExtractor",
    "Direction",
    "ReferenceStatistics",
    "auroc",
    "direction",
    "distance_to_curve",
    "energy_distance",
    "frechet_distance",
    "frechet_distance_of_moments",
    "inception_score",
    "load_classifier",
    "mean_distance",
    "mode_coverage",
    "nearest_neighbours",
    "prepare_classifier",
    "reference_statistics",
    "undecided_share",
]
