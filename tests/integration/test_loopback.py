"""Whoever reaches a Ray port runs code: on a laptop nothing of a study listens beyond loopback."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from soak import Driver, descendants

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("ss") is None, reason="iproute2, which ss is of, is not installed"),
]

LOOPBACK = ("127.", "[::1]", "[::ffff:127.")


def listening(pids):
    """The addresses, with ports, at which the processes listen for TCP or UDP."""
    shown = subprocess.run(["ss", "-Hltunp"], capture_output=True, text=True, check=True).stdout
    lines = [line for line in shown.splitlines() if any(f"pid={pid}," in line for pid in pids)]
    return [line.split()[4] for line in lines]


def test_a_laptop_study_listens_on_loopback_alone(tmp_path):
    driver = Driver(tmp_path, ("--space", "gradnorm", "--scale", "smoke", "--trials", "3"))
    driver.start()
    assert driver.wait_until(driver.is_training), driver.screen()
    found = listening([driver.process.pid, *descendants(driver.process.pid)])
    assert len(found) > 3, "Ray's own servers"
    assert [address for address in found if not address.startswith(LOOPBACK)] == []
    assert driver.wait() == 0, driver.screen()
