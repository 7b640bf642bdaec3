"""The cache itself, and files that are written whole or not at all."""

from __future__ import annotations

import hashlib
import warnings

import pytest

from trainables.cache import find, keep
from trainables.files import sha256_of, write_atomically


def writes(text):
    def make(folder):
        (folder / "text").write_text(text)

    return make


def must_not_make(folder):
    pytest.fail("it was made again")


def test_an_entry_is_made_once_and_found_by_its_key(tmp_path):
    entry = tmp_path / "new/entry"
    assert find(entry) is None
    made = keep(entry, {"n": 1}, writes("first"), "again")
    assert made == keep(entry, {"n": 1}, must_not_make, "again") == find(entry)
    assert made.sha256 == {"text": hashlib.sha256(b"first").hexdigest()}
    assert (entry / "text").read_text() == "first"


def test_another_key_replaces_it_with_a_warning(tmp_path):
    keep(tmp_path / "entry", {"n": 1}, writes("first"), "again")
    with pytest.warns(UserWarning, match="making it again"):
        keep(tmp_path / "entry", {"n": 2}, writes("second"), "making it again")
    assert (tmp_path / "entry/text").read_text() == "second"


def test_a_failure_leaves_what_was_there(tmp_path):
    def fails(folder):
        (folder / "text").write_text("half")
        raise RuntimeError("broken")

    keep(tmp_path / "entry", {"n": 1}, writes("first"), "again")
    with pytest.warns(UserWarning, match="again"), pytest.raises(RuntimeError, match="broken"):
        keep(tmp_path / "entry", {"n": 2}, fails, "again")
    assert (tmp_path / "entry/text").read_text() == "first"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["entry", "entry.lock"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keep(tmp_path / "entry", {"n": 1}, must_not_make, "again")


def test_a_file_is_written_whole_or_not_at_all(tmp_path, full_disk):
    path = tmp_path / "file"
    write_atomically(path, b"first")
    with full_disk(), pytest.raises(OSError, match="File too large"):
        write_atomically(path, bytes(10_000))
    assert path.read_bytes() == b"first"
    assert sha256_of(path) == hashlib.sha256(b"first").hexdigest()
