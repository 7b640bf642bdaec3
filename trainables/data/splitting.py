"""How sets that come without an official test split are split: one example in five, chosen once and for all."""

from __future__ import annotations

import numpy as np

TEST_FRACTION = 0.2
SPLIT_SEED = 0


def split_indices(length: int, labels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training and the test examples, both shuffled; a fifth of each class, if there are any.

    Raises `ValueError` if there are classes of fewer than two examples, or more classes than test examples.
    """
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(np.arange(length), test_size=TEST_FRACTION, random_state=SPLIT_SEED, stratify=labels)
    return train, test
