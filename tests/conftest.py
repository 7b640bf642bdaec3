from __future__ import annotations

import os
import runpy
import shutil
import signal
from pathlib import Path

# Several processes share few cores: a second thread of NumPy's would wait for one by computing.
os.environ["OMP_NUM_THREADS"] = "1"

# isort: split
import pytest
import torch

from tests.systems.storage import made_once, prepare_cache, prepare_database

pytest.register_assert_rewrite("trainables.testing")  # before anything imports it
torch.set_num_threads(1)
# A shell that starts the tests in the background leaves Ctrl-C ignored, and the programs under test inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


# Programs that the tests start find what an earlier one has compiled, and collect less garbage, as this process does.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
STARTUP = Path(__file__).parent / "systems" / "startup"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(STARTUP), os.environ.get("PYTHONPATH"))))
runpy.run_path(str(STARTUP / "sitecustomize.py"))
# On a busy machine, Ray would let trials wait for everything else until somebody takes them for lost, and end them when
# others fill the memory.
os.environ.update({"RAY_worker_niceness": "0", "RAY_memory_monitor_refresh_ms": "0"})


@pytest.fixture(scope="session")
def prepared_cache(tmp_path_factory):
    """A cache with the digits, their classifier and reference values: to be copied, never written to."""
    return made_once(tmp_path_factory, "prepared-cache", prepare_cache)


@pytest.fixture(scope="session")
def cache_dir(prepared_cache, tmp_path_factory):
    """A cache that the tests of this process share; they may add to it."""
    return shutil.copytree(prepared_cache, tmp_path_factory.mktemp("cache"), dirs_exist_ok=True)


@pytest.fixture(scope="session")
def new_storage(prepared_cache, tmp_path_factory):
    """Makes storage folders in which small studies find all that would have to be prepared."""
    database = made_once(tmp_path_factory, "prepared-database", prepare_database)

    def make(name="outputs"):
        folder = shutil.copytree(database, tmp_path_factory.mktemp(name), dirs_exist_ok=True)
        shutil.copytree(prepared_cache, folder / "cache")
        return folder

    return make


@pytest.fixture
def storage(new_storage):
    """A storage folder of the test's own."""
    return new_storage()


@pytest.fixture(scope="session")
def _ray_of_this_process():
    from tests.systems.one_ray import OneRay

    kept = OneRay()
    yield kept
    kept.close()


@pytest.fixture
def one_ray(_ray_of_this_process):
    """Ray, once for all tests of this process that train on it without a driver of their own."""
    with _ray_of_this_process.kept():
        yield


@pytest.fixture
def launch(one_ray, capsys):
    """Runs `python -m study.launch` in this process; returns what it prints, errors last."""

    def run(storage, *arguments, status=0, report=False):
        from study.launch import main
        from tests.systems.one_ray import as_in_a_new_process

        capsys.readouterr()
        with as_in_a_new_process():
            returned = main(["--storage-dir", str(storage), *map(str, arguments), *([] if report else ["--no-report"])])
        shown = "".join(capsys.readouterr())
        assert returned == status, shown
        return shown

    return run


@pytest.fixture
def tiny_dataset():
    """60 training and 20 test images: random, 1x8x8, of 3 classes."""
    from trainables.testing.data import tiny_images

    return tiny_images()
