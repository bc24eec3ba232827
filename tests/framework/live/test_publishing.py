"""The thread that hands on what an operator sees."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

import pytest

from framework.live.publishing import Publisher
from framework.live.status import Execution, Status

AT = datetime(2026, 10, 5, 14, 0, tzinfo=UTC)
FILL = Execution(AT, "SPY", "buy", 1, 2.0, 2.0, 0.0, "dip-1-1", "e", 1, 0.0, 0.0)


def status(number: int) -> Status:
    return Status("dip", AT, run=number)


def test_the_last_status_and_every_fill_are_handed_on() -> None:
    """However quickly they come; a status that is overtaken may be left out."""
    seen: list[int] = []
    booked: list[Execution] = []
    with Publisher([lambda each: seen.append(each.run)], [booked.extend]) as publisher:
        for number in range(1, 101):
            publisher.show(status(number))
            publisher.book([FILL])
    assert seen[-1] == 100
    assert seen == sorted(seen)
    assert len(booked) == 100


def test_it_is_another_thread() -> None:
    """A slow disk never holds up the engine."""
    threads: list[threading.Thread] = []
    with Publisher([lambda each: threads.append(threading.current_thread())]) as publisher:
        publisher.show(status(1))
    assert threads != [threading.current_thread()]


def test_what_fails_is_warned_of_once_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a display does, the session goes on."""
    heard = threading.Event()
    seen: list[int] = []

    def broken(each: Status) -> None:
        raise OSError("the disk is full")

    def look(each: Status) -> None:
        seen.append(each.run)
        heard.set()

    with caplog.at_level(logging.WARNING, "switchback.live"), Publisher([broken, look]) as publisher:
        for number in (1, 2):
            heard.clear()
            publisher.show(status(number))
            assert heard.wait(10)
    assert seen == [1, 2]
    assert [record.getMessage() for record in caplog.records] == [
        "what is shown of the session is not complete: OSError: the disk is full"
    ]


def test_a_display_that_hangs_keeps_no_session_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, but not for ever."""
    monkeypatch.setattr("framework.live.publishing.FAREWELL", 0.01)
    begun, let = threading.Event(), threading.Event()

    def hang(each: Status) -> None:
        begun.set()
        let.wait(10)

    with Publisher([hang]) as publisher:
        publisher.show(status(1))
        assert begun.wait(10)
    assert publisher._thread.is_alive()
    let.set()
    publisher._thread.join(10)
