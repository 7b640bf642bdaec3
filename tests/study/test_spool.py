from __future__ import annotations

import json
import threading
import time

import pytest

from study.spool import Spool
from tests.systems.until import until


class Server:
    """Takes events, can be away, and forgets nothing."""

    def __init__(self):
        self.received = []
        self.together = []
        self.away = False
        self.attempts = 0

    def __call__(self, *events):
        self.attempts += 1
        if self.away:
            raise ConnectionError("the server is away")
        self.together.append([event["n"] for event in events])
        self.received.extend(events)

    def numbers(self):
        return [event["n"] for event in self.received]


@pytest.fixture
def server():
    return Server()


def test_events_arrive_in_order(tmp_path, server):
    spool = Spool(tmp_path, server)
    for n in range(100):
        spool.put({"n": n})
    assert spool.close(10) == 0
    assert server.numbers() == list(range(100))


@pytest.fixture
def slow(server):
    """A server that takes an event in 0.1 s."""

    def take(*events):
        time.sleep(0.1 * len(events))
        server(*events)

    return take


def test_the_end_waits_while_a_slow_server_takes_events(tmp_path, server, slow):
    spool = Spool(tmp_path, slow)
    for n in range(8):
        spool.put({"trial": str(n), "n": n})
    assert spool.left() > 5
    assert spool.close(0.3) == 0
    assert server.numbers() == list(range(8))


def test_in_all_it_waits_no_longer_than_it_may(tmp_path, server, slow):
    spool = Spool(tmp_path, slow)
    for n in range(30):
        spool.put({"trial": str(n), "n": n})
    started = time.monotonic()
    assert spool.close(10, in_all=0.3) > 15
    assert time.monotonic() - started < 2


def test_what_waits_is_delivered_by_trial_and_in_order(tmp_path, server, monkeypatch):
    monkeypatch.setattr("study.spool.TOGETHER", 6)
    server.away = True
    spool = Spool(tmp_path, server, retry_seconds=0.01)
    for n in range(15):
        spool.put({"trial": "ab"[n % 2], "n": n})
    until(lambda: server.attempts > 2)
    server.away = False
    assert spool.close(10) == 0
    assert sorted(server.numbers()) == list(range(15))
    for trial in ("a", "b"):
        numbers = [event["n"] for event in server.received if event["trial"] == trial]
        assert numbers == sorted(numbers)
    assert max(len(numbers) for numbers in server.together) == 3
    assert len(server.together) <= 7


def test_what_is_left_is_counted_where_some_of_what_waited_together_has_arrived(tmp_path, server):
    asked, all_wait = threading.Event(), threading.Event()

    def only_a(*events):
        if events[0]["trial"] != "a":
            raise ConnectionError("the server is away")
        asked.set()
        all_wait.wait(5)
        server(*events)

    spool = Spool(tmp_path, only_a, retry_seconds=0.01)
    spool.put({"trial": "a", "n": 0})
    assert asked.wait(5)
    for n, trial in enumerate("abab", start=1):
        spool.put({"trial": trial, "n": n})
    all_wait.set()
    assert spool.close(10) == 2
    assert server.numbers() == [0, 1, 3]
    Spool(tmp_path, server).close(10)
    assert set(server.numbers()) == set(range(5))


def test_events_arrive_without_waiting_for_the_end(tmp_path, server):
    spool = Spool(tmp_path, server)
    spool.put({"n": 1})
    until(lambda: server.numbers() == [1])
    spool.put({"n": 2})
    until(lambda: server.numbers() == [1, 2])
    spool.close(10)


def test_a_server_that_is_away_does_not_hold_up_the_driver(tmp_path, server):
    slow = threading.Event()
    spool = Spool(tmp_path, lambda *events: slow.wait(5))
    started = time.monotonic()
    for n in range(100):
        spool.put({"n": n})
    assert time.monotonic() - started < 1
    slow.set()
    assert spool.close(10) == 0


def test_events_of_an_outage_arrive_when_the_server_is_back(tmp_path, server):
    server.away = True
    spool = Spool(tmp_path, server, retry_seconds=0.01)
    for n in range(10):
        spool.put({"n": n})
    until(lambda: server.attempts > 2)
    assert server.received == []
    server.away = False
    until(lambda: server.numbers() == list(range(10)))
    assert spool.close(10) == 0


def test_what_was_not_delivered_is_delivered_by_the_next_process(tmp_path, server):
    server.away = True
    spool = Spool(tmp_path, server, retry_seconds=0.01)
    for n in range(10):
        spool.put({"n": n})
    assert spool.close(1) == 10
    server.away = False
    again = Spool(tmp_path, server)
    again.put({"n": 10})
    assert again.close(10) == 0
    assert server.numbers() == list(range(11))


def test_delivered_events_are_not_delivered_again_after_a_clean_end(tmp_path, server):
    spool = Spool(tmp_path, server)
    spool.put({"n": 1})
    spool.close(10)
    Spool(tmp_path, server).close(10)
    assert server.numbers() == [1]


def test_half_a_line_left_by_a_killed_process_is_dropped(tmp_path, server):
    (tmp_path / "events.jsonl").write_bytes(json.dumps({"n": 1}).encode() + b'\n{"n": 2')
    spool = Spool(tmp_path, server)
    spool.put({"n": 3})
    spool.close(10)
    assert server.numbers() == [1, 3]


def test_the_file_is_emptied_once_everything_is_delivered(tmp_path, server, monkeypatch):
    monkeypatch.setattr("study.spool.TIDY_BYTES", 100)
    spool = Spool(tmp_path, server)
    for n in range(50):
        spool.put({"n": n})
    until(lambda: (tmp_path / "events.jsonl").stat().st_size == 0)
    spool.put({"n": 50})
    assert spool.close(10) == 0
    assert server.numbers() == list(range(51))


def test_a_process_that_was_killed_while_it_emptied_the_file_loses_nothing(tmp_path, server):
    (tmp_path / "events.jsonl").write_bytes(b"")
    (tmp_path / "delivered").write_text("5000")
    spool = Spool(tmp_path, server)
    spool.put({"n": 1})
    assert spool.close(10) == 0
    assert server.numbers() == [1]


def test_when_the_room_is_used_up_metrics_are_dropped_and_ends_are_not(tmp_path, server):
    server.away = True
    spool = Spool(tmp_path, server, retry_seconds=0.01, room=1000)
    for n in range(200):
        spool.put({"n": n})
    spool.put({"n": 200, "status": "FINISHED"})
    kept = (tmp_path / "events.jsonl").read_text().count("\n")
    assert spool.dropped == 201 - kept > 0
    server.away = False
    assert spool.close(10) == 0
    assert server.numbers() == [*range(kept - 1), 200]
