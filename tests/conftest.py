from __future__ import annotations

import shutil
import signal

import numpy as np
import pytest
import torch

from tests.systems.storage import made_once, prepare_cache
from trainables.data.dataset import Dataset, Split

torch.set_num_threads(1)
# A shell that starts the tests in the background leaves Ctrl-C ignored, and the programs under test inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def prepared_cache(tmp_path_factory):
    """A cache with the digits, their classifier and reference values: to be copied, never written to."""
    return made_once(tmp_path_factory, "prepared-cache", prepare_cache)


@pytest.fixture(scope="session")
def cache_dir(prepared_cache, tmp_path_factory):
    """A cache that the tests of this process share; they may add to it."""
    return shutil.copytree(prepared_cache, tmp_path_factory.mktemp("cache"), dirs_exist_ok=True)


@pytest.fixture
def tiny_dataset():
    """60 + 20 random 8x8 images of 3 classes."""
    generator = np.random.default_rng(0)

    def split(n):
        return Split(generator.integers(0, 256, (n, 1, 8, 8), dtype=np.uint8), np.arange(n) % 3)

    return Dataset("tiny", split(60), split(20), num_classes=3)
