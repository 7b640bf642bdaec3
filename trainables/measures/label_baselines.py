"""Classifiers of scikit-learn that are trained with few labels: what a semi-supervised method has to beat.

They see pixels in [0, 1], and the labels that methods see with the same number and draw.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import spmatrix

from trainables.data.dataset import Dataset
from trainables.data.labelled import draw_labelled

NEIGHBOURS = 7
CLAMPING = 0.5
PENALTY = 10.0
"""`n_neighbors` and `alpha` of LabelSpreading, `C` of the support vector machine."""

UNLABELLED = -1
"""The label by which scikit-learn knows examples without one."""


class NeighbourGraph:
    """LabelSpreading's kernel "knn" as a function, which computes the neighbours once for all fits."""

    def __init__(self, train: np.ndarray, test: np.ndarray) -> None:
        from sklearn.neighbors import NearestNeighbors

        nearest = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(train)
        self._within, self._to_test = nearest.kneighbors_graph(train), nearest.kneighbors_graph(test).T

    def __call__(self, x: np.ndarray, y: np.ndarray) -> spmatrix:
        """Weights between the training examples and `y`: the training examples again, or the test examples."""
        return self._within if x is y else self._to_test


def baseline_accuracies(dataset: Dataset, numbers: tuple[int, ...], draws: int) -> dict[str, float]:
    """Test accuracies by `<classifier>_<number of labels>`, means over `draws` draws.

    `label_spreading` sees the training examples without labels, too; `svm` and `nearest` see the labelled ones alone.
    Raises `InputError` where so many labels cannot be drawn.
    """
    if not numbers:
        return {}
    chosen = {number: [draw_labelled(dataset, number, draw) for draw in range(draws)] for number in numbers}
    classifiers = _classifiers(dataset)
    return {
        f"{name}_{number}": float(np.mean([classify(some) == dataset.test.labels for some in chosen[number]]))
        for number in numbers
        for name, classify in classifiers.items()
    }


def _classifiers(dataset: Dataset) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Each is trained with the labels of the chosen examples alone, and returns the classes of the test examples."""
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.semi_supervised import LabelSpreading
    from sklearn.svm import SVC

    train, test = (split.examples.reshape(len(split), -1) / np.float32(255) for split in (dataset.train, dataset.test))
    labels = dataset.train.labels
    assert labels is not None
    graph = NeighbourGraph(train, test)

    def spread(chosen: np.ndarray) -> np.ndarray:
        known = np.full(len(labels), UNLABELLED)
        known[chosen] = labels[chosen]
        with np.errstate(invalid="ignore"):  # examples that no label reaches have 0 / 0 for each class
            return LabelSpreading(kernel=graph, alpha=CLAMPING).fit(train, known).predict(test)

    return {
        "label_spreading": spread,
        "svm": lambda chosen: SVC(C=PENALTY).fit(train[chosen], labels[chosen]).predict(test),
        "nearest": lambda chosen: KNeighborsClassifier(n_neighbors=1).fit(train[chosen], labels[chosen]).predict(test),
    }
