"""Metrics as pure functions, and the classifier that the `_lenet` ones take their features from."""

from trainables.metrics.classifier import ClassifierExtractor, load_classifier, prepare_classifier
from trainables.metrics.collapse import class_entropy, copying, distances_to_training, duplicate_share
from trainables.metrics.frechet import (
    ReferenceStatistics,
    frechet_distance,
    frechet_distance_of_moments,
    reference_statistics,
)
from trainables.metrics.inception_score import inception_score
from trainables.metrics.kid import kernel_distance
from trainables.metrics.names import DIRECTIONS, Direction, direction
from trainables.metrics.neighbours import nearest_neighbours
from trainables.metrics.ood import auroc, detection
from trainables.metrics.points import distance_to_curve, energy_distance, mean_distance, mode_coverage, undecided_share
from trainables.metrics.precision_recall import manifold_radii, precision_recall

__all__ = [
    "DIRECTIONS",
    "ClassifierExtractor",
    "Direction",
    "ReferenceStatistics",
    "auroc",
    "class_entropy",
    "copying",
    "detection",
    "direction",
    "distance_to_curve",
    "distances_to_training",
    "duplicate_share",
    "energy_distance",
    "frechet_distance",
    "frechet_distance_of_moments",
    "inception_score",
    "kernel_distance",
    "load_classifier",
    "manifold_radii",
    "mean_distance",
    "mode_coverage",
    "nearest_neighbours",
    "precision_recall",
    "prepare_classifier",
    "reference_statistics",
    "undecided_share",
]
