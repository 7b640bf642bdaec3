"""Metrics as pure functions, and the classifier that the `_lenet` ones take their features from."""

from trainables.metrics.classifier import ClassifierExtractor, load_classifier, prepare_classifier
from trainables.metrics.frechet import ReferenceStatistics, frechet_distance, reference_statistics
from trainables.metrics.inception_score import inception_score
from trainables.metrics.names import DIRECTIONS, Direction, direction
from trainables.metrics.neighbours import nearest_neighbours
from trainables.metrics.ood import auroc

__all__ = [
    "DIRECTIONS",
    "ClassifierExtractor",
    "Direction",
    "ReferenceStatistics",
    "auroc",
    "direction",
    "frechet_distance",
    "inception_score",
    "load_classifier",
    "nearest_neighbours",
    "prepare_classifier",
    "reference_statistics",
]
