"""What a session does by itself while it runs."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from framework.calendar import Calendar, Hours
from framework.errors import ConnectionLost
from framework.live.clock import VirtualClock
from framework.live.keeper import LATE, SplitWatch, next_look, watch_account, watch_requests
from framework.model import Remark, Split
from framework.wire import Priority


class Stub:
    """A hub that notes what is emitted, and a transport whose queue is what the test says."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.waiting: dict[Priority, int] = {}

    def emit(self, news: Any) -> None:
        self.told.append(news.text)


def test_requests_that_wait_are_told_once_until_they_wait_no_more() -> None:
    """A burst that is over at the next look is none; what stays in the queue is told, and again when it comes back."""

    async def steps() -> list[int]:
        clock, stub = VirtualClock(), Stub()
        watch = asyncio.ensure_future(watch_requests(stub, stub, clock, 200))  # type: ignore[arg-type]
        counts = []
        for waiting in ({}, {Priority.ENTRY: 3}, {}, {Priority.ENTRY: 3}, {Priority.EXIT: 1}, {Priority.ENTRY: 9}, {}):
            stub.waiting = waiting
            await clock.advance(1.0)
            counts.append(len(stub.told))
        watch.cancel()
        assert stub.told == ["1 requests wait, 1 of them exits and cancels: 200 a minute are allowed"]
        return counts

    assert asyncio.run(steps()) == [0, 0, 0, 0, 1, 1, 1]


class Account:
    """A hub whose venue tells a split, fails, or tells what it holds: all in the order in which it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.are_splits_wanted = list(answers), False
        self.asked: list[Any] = []
        self.bridge = self

    async def splits(self, since: datetime) -> list[Split]:
        self.asked.append(since)
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    async def snapshot(self) -> str:
        return "snapshot"

    def post(self, news: Any) -> None:
        self.asked.append(news)

    emit = post


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("after", "hours", "due"),
    [
        ("2026-10-05T10:00", Hours.REGULAR, "2026-10-05T13:20"),
        ("2026-10-05T13:20", Hours.REGULAR, "2026-10-05T14:00"),
        ("2026-10-05T14:00", Hours.REGULAR, "2026-10-06T13:20"),
        ("2026-10-30T20:00", Hours.REGULAR, "2026-11-02T14:20"),
        ("2026-11-25T22:00", Hours.REGULAR, "2026-11-27T14:20"),
        ("2026-10-05T20:00", Hours.EXTENDED, "2026-10-06T07:50"),
    ],
)
def test_splits_are_asked_for_when_a_trading_day_begins(after: str, hours: Hours, due: str) -> None:
    """Ten minutes before it opens and half an hour after, over weekends, clock changes, holidays; in its own hours."""
    assert next_look(Calendar("XNYS", hours), at(after)) == at(due)


def test_a_night_s_splits_are_told_in_the_morning() -> None:
    """From a few days before the last look on; what fails is told, and asked for at the next."""

    async def steps() -> list[Any]:
        clock = VirtualClock(at("2026-10-05T15:00"))
        split = Split("SPY", at("2026-10-06T04:00"), 2.0, "SPY 2026-10-06")
        account = Account(ConnectionLost("Alpaca", "no answer"), [split])
        watch = asyncio.ensure_future(SplitWatch(account, clock, Calendar("XNYS")).run())  # type: ignore[arg-type]
        await clock.advance(23.5 * 3600)
        watch.cancel()
        return account.asked

    since = at("2026-10-05T15:00") - LATE
    first, remark, again, told = asyncio.run(steps())
    assert (first, again) == (since, since)
    assert isinstance(remark, Remark)
    assert told.name == "SPY 2026-10-06"


def test_splits_that_are_wanted_are_told_before_the_account() -> None:
    """Where they cannot be asked for, the account is not told either: nothing is taken over for want of them."""

    async def steps() -> list[Any]:
        clock = VirtualClock(at("2026-10-05T15:00"))
        split = Split("SPY", at("2026-10-05T04:00"), 0.1, "SPY 2026-10-05")
        account = Account(ConnectionLost("Alpaca", "no answer"), [split])
        account.are_splits_wanted = True
        watch = asyncio.ensure_future(watch_account(account, clock, every=10.0))  # type: ignore[arg-type]
        await clock.advance(31.0)
        watch.cancel()
        return [each for each in account.asked if not isinstance(each, datetime)]

    told = asyncio.run(steps())
    assert [getattr(each, "name", each) for each in told] == ["SPY 2026-10-05", "snapshot", "snapshot"]
