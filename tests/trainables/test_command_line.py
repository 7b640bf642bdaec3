"""What nobody foresaw is one sentence, and its traceback a file."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from trainables.command_line import answer
from trainables.errors import InputError


def fail():
    raise RuntimeError("no luck\nwith postgresql://me:a/b@h/db?password=hidden")


def test_an_unexpected_error_is_a_sentence_that_names_the_file_of_its_traceback(capsys, tmp_path):
    assert answer(fail, tmp_path / "storage") == 1
    error = capsys.readouterr().err
    (file,) = (tmp_path / "storage").iterdir()
    assert error.count("\n") == 1
    assert str(file) in error
    assert "Traceback" not in error
    assert "RuntimeError: no luck" in error
    text = file.read_text()
    assert "in fail" in text
    for secret in ("a/b", "hidden"):
        assert secret not in error + text


def test_a_storage_folder_that_cannot_be_written_does_not_hide_the_error(capsys, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert answer(fail, tmp_path / "file" / "storage") == 1
    error = capsys.readouterr().err
    assert [str(path) in error for path in tmp_path.glob("error-*.txt")] == [True]


def test_bad_input_and_interruption_are_as_before(capsys, tmp_path):
    def bad():
        raise InputError("say it otherwise.")

    def interrupted():
        raise KeyboardInterrupt

    assert answer(bad, tmp_path) == 2
    assert capsys.readouterr().err == "error: say it otherwise.\n"
    with pytest.raises(KeyboardInterrupt):
        answer(interrupted, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flag", ["--list", "--help"])
def test_a_command_whose_output_nobody_reads_ends_in_silence(flag):
    """As `... --list | head` does."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "study.launch", flag]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_the_broken_pipe_of_a_connection_is_not_taken_for_that_of_the_output(capsys, tmp_path):
    def lose_a_connection():
        raise BrokenPipeError(32, "Broken pipe")

    assert answer(lose_a_connection, tmp_path) == 1
    assert "something unexpected went wrong (BrokenPipeError" in capsys.readouterr().err
