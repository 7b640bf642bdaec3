from __future__ import annotations

import shutil

import pytest

from tests.systems.one_ray import OneRay, as_in_a_new_process
from tests.systems.program import end_those_of_the_test
from tests.systems.storage import made_once, prepare_database


@pytest.fixture(autouse=True)
def _nothing_outlives_its_test():
    yield
    end_those_of_the_test()


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

        capsys.readouterr()
        with as_in_a_new_process():
            no_report = [] if report else ["--no-report"]
            returned = main(["--storage-dir", str(storage), *no_report, *map(str, arguments)])
        shown = "".join(capsys.readouterr())
        assert returned == status, shown
        return shown

    return run
