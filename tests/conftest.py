from __future__ import annotations

import shutil
import signal

import pytest
import torch

from tests.systems.storage import made_once, prepare_cache

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
    """60 training and 20 test images: random, 1x8x8, of 3 classes."""
    # Imported here, after tests/trainables/methods/conftest.py has asked pytest to rewrite the package's assertions.
    from trainables.testing.data import tiny_images

    return tiny_images()
