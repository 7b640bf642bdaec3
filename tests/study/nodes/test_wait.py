"""Waiting for a Ray cluster that does not come."""

from __future__ import annotations

import subprocess
import sys
import time


def test_a_cluster_that_does_not_come_is_waited_for_until_the_deadline():
    started = time.monotonic()
    command = [sys.executable, "-m", "study.nodes.wait", "127.0.0.1:1025", "2", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert time.monotonic() - started >= 3
    assert done.stderr == "error: 0 of 2 nodes were in the Ray cluster after 3 s.\n"
