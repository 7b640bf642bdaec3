from __future__ import annotations

import signal

import numpy as np
import pytest
import torch

from trainables.data.cache import prepare
from trainables.data.dataset import Dataset, Split

torch.set_num_threads(1)
# A shell that starts the tests in the background leaves Ctrl-C ignored, and the programs under test inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory):
    """A cache with the data sets that the tests share; treat it as read-only."""
    folder = tmp_path_factory.mktemp("cache")
    prepare("digits", folder)
    return folder


@pytest.fixture
def tiny_dataset():
    """60 + 20 random 8x8 images of 3 classes."""
    generator = np.random.default_rng(0)

    def split(n):
        return Split(generator.integers(0, 256, (n, 1, 8, 8), dtype=np.uint8), np.arange(n) % 3)

    return Dataset("tiny", split(60), split(20), num_classes=3)
