"""A Ray of a study's own: beside another one, and where it cannot start on this machine."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import suppress

import pytest

from study.nodes.cluster import cluster
from tests.systems.namespace import why_not
from trainables.errors import InputError

AGENT = 52365
BESIDE_ANOTHER = """
import ray
from study.nodes.cluster import cluster

with cluster(None):
    print(ray._private.worker.global_worker.node.dashboard_agent_listen_port)
"""
CODE = """
from pathlib import Path
import study
from study.nodes.cluster import cluster
from trainables.command_line import answer

def start():
    with cluster(None):
        return 0

raise SystemExit(answer(start, Path("storage")))
"""


@pytest.mark.parametrize("folder", ["file/x", "x" * 120])
def test_a_folder_for_sockets_that_cannot_be_used_is_a_sentence(tmp_path, folder, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / folder))
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
    done = subprocess.run([sys.executable, "-c", CODE], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: Ray does not start on this machine (")
    assert "RAY_TMPDIR" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_home_that_cannot_be_written_is_a_sentence(tmp_path, monkeypatch):
    """Ray keeps there who may connect."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(InputError, match=r"Ray does not start: .* set HOME to a folder"), cluster(None):
        pass


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))  # nor mount
def test_a_folder_of_ray_that_cannot_be_written_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / ".ray").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
    mounted = 'mount -t tmpfs -o ro none "$HOME/.ray" && exec "$0" -c "$1"'
    command = ["unshare", "--mount", "sh", "-c", mounted, sys.executable, CODE]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stderr
    assert f"{tmp_path}/.ray cannot be written to (Read-only file system): set HOME" in done.stderr


def test_the_second_study_on_a_machine_does_not_wait_for_a_port_that_the_first_one_has(tmp_path, monkeypatch):
    """Ray waits for its agent, which says -1 after four seconds without the port."""
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
    with socket.socket() as taken:
        with suppress(OSError):  # something else has it
            taken.bind(("127.0.0.1", AGENT))
            taken.listen()
        done = subprocess.run([sys.executable, "-c", BESIDE_ANOTHER], cwd=tmp_path, capture_output=True, timeout=300)
    assert int(done.stdout) not in (-1, AGENT), done.stderr
