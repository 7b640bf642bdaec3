"""Waiting for a Ray cluster that does not come."""

from __future__ import annotations

import time

from study.nodes.wait import main


def test_a_cluster_that_does_not_come_is_waited_for_until_the_deadline(capsys):
    started = time.monotonic()
    assert main("127.0.0.1:1025", "2", "3") == 1
    assert 3 <= time.monotonic() - started < 10
    assert capsys.readouterr().err == "error: 0 of 2 nodes were in the Ray cluster after 3 s.\n"
