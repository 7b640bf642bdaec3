from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import torch

from trainables.checkpoints import CheckpointFolder


def state(value):
    return {"round": value, "weights": torch.full((4,), float(value))}


def rounds_kept(folder):
    return sorted(path.name for path in folder.glob("*.pt"))


def test_the_newest_is_loaded(tmp_path):
    checkpoints = CheckpointFolder(tmp_path / "new" / "folder")
    assert checkpoints.load_newest() is None
    for number in (1, 2, 10):
        checkpoints.save(state(number), number)
    loaded = checkpoints.load_newest()
    assert loaded["round"] == 10
    assert torch.equal(loaded["weights"], torch.full((4,), 10.0))


def test_the_newest_two_are_kept_and_nothing_else(tmp_path):
    checkpoints = CheckpointFolder(tmp_path)
    for number in range(5):
        checkpoints.save(state(number), number)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "round-00000003.pt",
        "round-00000003.sha256",
        "round-00000004.pt",
        "round-00000004.sha256",
    ]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "without checksum", "empty"])
def test_a_damaged_newest_falls_back_to_the_one_before(tmp_path, damage):
    checkpoints = CheckpointFolder(tmp_path)
    checkpoints.save(state(1), 1)
    checkpoints.save(state(2), 2)
    newest = tmp_path / "round-00000002.pt"
    content = newest.read_bytes()
    if damage == "truncated":
        newest.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        newest.write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
    elif damage == "empty":
        newest.write_bytes(b"")
    else:
        newest.with_suffix(".sha256").unlink()
    with pytest.warns(UserWarning, match="damaged"):
        assert checkpoints.load_newest()["round"] == 1


def test_nothing_but_tensors_and_plain_types_is_loaded(tmp_path):
    """A pickle that would run code is refused, even with the right checksum."""

    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "pwned"),))

    checkpoints = CheckpointFolder(tmp_path / "checkpoints")
    checkpoints.save({"round": Evil()}, 1)
    with pytest.raises(Exception, match=r"[Ww]eights"):
        checkpoints.load_newest()
    assert not (tmp_path / "pwned").exists()


KILLED_WHILE_SAVING = """
import os, signal, sys
from pathlib import Path
import torch
from trainables.checkpoints import CheckpointFolder

step, folder = sys.argv[1], Path(sys.argv[2])
replaced = 0
replace = Path.replace

def killed(self, target):
    global replaced
    replaced += 1
    if step == f"before rename {replaced}":
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)

CheckpointFolder(folder).save({"round": 1, "weights": torch.ones(4)}, 1)
Path.replace = killed
CheckpointFolder(folder).save({"round": 2, "weights": torch.ones(4)}, 2)
"""


@pytest.mark.parametrize("step", ["before rename 1", "before rename 2"])
def test_a_process_killed_while_saving_leaves_the_one_before(tmp_path, step):
    command = [sys.executable, "-c", KILLED_WHILE_SAVING, step, str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    checkpoints = CheckpointFolder(tmp_path)
    assert checkpoints.load_newest()["round"] == 1
    checkpoints.save(state(2), 2)
    assert checkpoints.load_newest()["round"] == 2
