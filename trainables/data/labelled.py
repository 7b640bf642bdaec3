"""The few labels that a semi-supervised method may see, the same for every method."""

from __future__ import annotations

import numpy as np

from trainables.data.dataset import Dataset
from trainables.errors import InputError


def draw_labelled(dataset: Dataset, number: int, draw: int) -> np.ndarray:
    """The indices `(number,)` of the training examples whose labels are given, in the order in which they are drawn.

    Each class is shuffled by a generator with the seed `draw`. The classes then take turns, in a new random order each
    time, so that all have the same number of labels or one more; a class that has no example left is passed over.
    A smaller number gives the beginning of the same list.

    Raises `InputError` for data without labels, for fewer labels than classes, and for more than there are.
    """
    labels, classes = dataset.train.labels, dataset.num_classes
    if labels is None or classes is None:
        raise InputError(f"data set {dataset.name!r} has no labels: choose one that has.")
    missing = sorted(set(range(classes)) - set(np.unique(labels).tolist()))
    if missing:
        raise InputError(
            f"data set {dataset.name!r} has no training example of class {missing[0]}: choose one that has all classes."
        )
    if number < classes:
        raise InputError(
            f"{number} labels are fewer than the {classes} classes of {dataset.name!r}: "
            f"set labels to {classes} or more."
        )
    if number > len(labels):
        raise InputError(
            f"{number} labels are more than the {len(labels)} training examples of {dataset.name!r}: "
            f"set labels to {len(labels)} or less."
        )
    rng = np.random.default_rng(draw)
    of_class = [rng.permutation(np.flatnonzero(labels == k)) for k in range(classes)]
    turns = max(map(len, of_class))
    drawn = [of_class[k][turn] for turn in range(turns) for k in rng.permutation(classes) if turn < len(of_class[k])]
    return np.array(drawn[:number])
