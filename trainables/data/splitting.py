"""The test split of data sets without an official one: a fifth of the examples, always the same ones."""

from __future__ import annotations

import numpy as np

TEST_FRACTION = 0.2
SPLIT_SEED = 0


def split_indices(length: int, labels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training and the test examples, both shuffled. With labels, a fifth of each class is for testing.

    Raises `ValueError` if a class has fewer than two examples, or if there are more classes than test examples.
    """
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(np.arange(length), test_size=TEST_FRACTION, random_state=SPLIT_SEED, stratify=labels)
    return train, test
