"""Files that are appended to, after a power cut or on a full disk."""

from __future__ import annotations

import json

import optuna
import pytest

from search_spaces.toy_line import ToyLine
from study.optuna_storage import create_study, find_study, open_storage
from study.records import mend
from study.spool import Spool
from trainables.errors import InputError


@pytest.fixture
def journal(tmp_path):
    """The journal of a study with a finished trial and one that was asked for."""
    path = tmp_path / "optuna.journal"
    study = create_study("s", open_storage(path), ("minimize",), ToyLine("smoke").first_trials())
    study.tell(study.ask(), 1.0)
    study.ask()
    return path


def resume(journal):
    storage, is_there = find_study(str(journal), "s", must_exist=True)
    assert is_there
    return optuna.load_study(study_name="s", storage=storage)


def test_a_journal_torn_anywhere_in_its_last_record_goes_on(journal):
    content = journal.read_bytes()
    start = content.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(start + 1, len(content) - 1):
        journal.write_bytes(content[:end])
        with pytest.warns(UserWarning, match=r"dropped 1 torn record"):
            study = resume(journal)
        assert study.trials[0].value == 1.0
        study.tell(study.ask(), 2.0)
        assert sorted(t.value for t in resume(journal).trials if t.values) == [1.0, 2.0]


@pytest.mark.parametrize("end", [b"\0" * 500, b'{"op_code": 4\n\0\0\n', b"\xff\xfe\n"])
def test_what_is_no_record_at_the_end_is_dropped(journal, end):
    whole = journal.read_bytes()
    journal.write_bytes(whole + end)
    with pytest.warns(UserWarning, match="torn record"):
        resume(journal)
    assert journal.read_bytes() == whole


def test_a_record_that_was_appended_to_a_torn_one_is_kept(journal):
    whole = journal.read_bytes()
    study = resume(journal)
    study.tell(study.ask(), 3.0)
    more = journal.read_bytes()[len(whole) :]
    journal.write_bytes(whole + b'{"op_code":8,"user_attr":{"met' + more)
    with pytest.warns(UserWarning, match="is damaged"):
        assert 3.0 in [trial.value for trial in resume(journal).trials if trial.values]
    assert journal.read_bytes() == whole + more


def test_a_record_that_lost_only_the_end_of_its_line_is_kept(journal):
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-1])
    resume(journal)
    assert journal.read_bytes() == whole


@pytest.mark.parametrize(
    "damage", [lambda line: b"#" + line[1:], lambda line: bytes(len(line)), lambda line: line[:-1] + b"#"]
)
def test_a_creation_that_is_damaged_in_the_middle_is_a_sentence_and_nothing_is_changed(journal, damage):
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[2] = damage(lines[2])
    journal.write_bytes(b"".join(lines))
    with pytest.raises(InputError, match=r"line 3 of .* is damaged"):
        resume(journal)
    assert journal.read_bytes() == b"".join(lines)


def test_what_else_is_damaged_in_the_middle_is_dropped_and_no_trial_is_taken_for_another(journal):
    lines = journal.read_bytes().splitlines(keepends=True)
    of_trials = [n for n, line in enumerate(lines) if json.loads(line)["op_code"] >= 5]
    assert len(of_trials) == 3  # two trials were started, one of them has ended
    for n in of_trials[:-1]:
        for damage in (lambda line: line[:30] + b"\xff" + line[31:], lambda line: line[:-1] + b"#"):
            journal.write_bytes(b"".join([*lines[:n], damage(lines[n]), *lines[n + 1 :]]))
            with pytest.warns(UserWarning, match=rf"is damaged: dropped what cannot be read in line\(s\) {n + 1},"):
                trials = resume(journal).trials
            assert [t.user_attrs["first_trial"] for t in trials] == [t.name for t in ToyLine("smoke").first_trials()]
            assert trials[1].state.name == "RUNNING"
            assert journal.with_name("optuna.journal.damaged").exists()


def test_a_journal_needs_no_symbolic_links(tmp_path, monkeypatch):
    def no_links(*arguments):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.symlink", no_links)
    study = optuna.create_study(storage=open_storage(tmp_path / "journal"))
    study.tell(study.ask(), 1.0)
    assert study.best_value == 1.0


@pytest.mark.filterwarnings("ignore:.*(torn record|is damaged)")
@pytest.mark.parametrize("damage", [b'{"n": 2', b'{"n": 2\n{"n": 3}\n', b'\0\0\0\n{"n": 3}\n', b"[1]\n"])
def test_damaged_events_hold_up_no_others(tmp_path, damage):
    events = tmp_path / "events.jsonl"
    events.write_bytes(json.dumps({"n": 1}).encode() + b"\n" + damage)
    (tmp_path / "delivered").write_bytes(b"\0\0")
    received = []
    spool = Spool(tmp_path, lambda *events: received.extend(events))
    spool.put({"n": 4})
    assert spool.close(10) == 0
    assert [event["n"] for event in received] == ([1, 3, 4] if b"3" in damage else [1, 4])


def test_whole_files_and_absent_ones_are_left_alone(tmp_path):
    mend(tmp_path / "absent")
    whole = tmp_path / "whole"
    whole.write_bytes(b'{"n": 1}\n')
    before = whole.stat().st_mtime_ns
    mend(whole)
    assert whole.stat().st_mtime_ns == before
