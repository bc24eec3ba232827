"""What the engine sees of itself: when it looks, what it sees, and that it never gets in the way."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import backtrader as bt
import pytest

from framework.engine.live_broker import LiveBroker
from framework.engine.lookout import AT_LAST, EVERY, Lookout, worth
from framework.live.records import DAY, INTENT, START, UPDATE
from framework.live.standing import Standing
from framework.live.status import RUNNING, Execution, Requests, Status
from framework.model import Fill, OrderGroup, OrderRequest, OrderStatus, OrderType, OrderUpdate, Side

AT = datetime(2026, 10, 5, 14, 0, tzinfo=UTC)
BEGIN = {
    "run": 1, "strategy": "Dip", "symbols": ["SPY"], "account": "PA6789", "currency": "USD", "cash": 1000.0,
    "money": "paper", "zone": "America/New_York",
}  # fmt: skip


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.at, self.seconds = AT, 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    def pass_(self, seconds: float) -> None:
        self.seconds += seconds
        self.at += timedelta(seconds=seconds)


class Notes:
    """A publisher that notes what it is handed."""

    def __init__(self) -> None:
        self.shown: list[Status] = []
        self.booked: list[Execution] = []

    def show(self, status: Status) -> None:
        self.shown.append(status)

    def book(self, executions: Sequence[Execution]) -> None:
        self.booked += executions


class Data:
    """A feed of one price."""

    def __init__(self, price: float) -> None:
        self.close, self.datetime = [price], [bt.date2num(AT.replace(tzinfo=None))]
        self.p = self
        self.symbol, self.is_made, self._name = "SPY", False, "SPY"

    def __len__(self) -> int:
        return 1

    __hash__ = object.__hash__


def looking(publisher: Any = None) -> tuple[Lookout, Clock, Any]:
    clock, notes = Clock(), publisher or Notes()
    lookout = Lookout(Standing(), clock, notes, lambda: Requests(1, 200))  # type: ignore[arg-type]
    lookout.hear(AT, (START, "dip", BEGIN))
    return lookout, clock, notes


def broker(*positions: tuple[float, float, float], cash: float = 1000.0, commission: Any = None) -> Any:
    """A broker that holds (size, price, last price) of one feed each."""
    made = LiveBroker()
    made.addcommissioninfo(commission or bt.CommInfoBase(commission=0.0))
    made.setcash(cash)
    made.init()
    for size, price, last in positions:
        made.positions[Data(last)].update(size, price)
    return made


FUTURE = bt.CommInfoBase(stocklike=False, margin=100.0, mult=5.0, commtype=bt.CommInfoBase.COMM_FIXED)
LEVERED = bt.CommInfoBase(stocklike=True, commtype=bt.CommInfoBase.COMM_PERC, leverage=4.0)


@pytest.mark.parametrize("commission", [None, FUTURE, LEVERED], ids=["stock", "future", "levered"])
@pytest.mark.parametrize("size", [10, -10, 0])
def test_what_it_is_worth_is_backtraders_value(commission: Any, size: float) -> None:
    """Long, short and flat, of every kind; and nothing is changed by looking."""
    seen = broker((size, 5.0, 6.5), (3, 2.0, 1.0), commission=commission)
    before = vars(seen).copy()
    told = worth(seen)
    assert vars(seen) == before
    seen._is_valued = False
    assert told == pytest.approx(seen.getvalue())


def test_it_looks_once_a_second_when_nothing_waits() -> None:
    """And every five where something always does."""
    lookout, clock, notes = looking()
    lookout.say("starting")
    for step, quiet, count in ((EVERY / 2, True, 1), (EVERY / 2, True, 2), (EVERY, False, 2), (AT_LAST, False, 3)):
        clock.pass_(step)
        lookout.look(quiet)
        assert len(notes.shown) == count


def test_a_fill_is_handed_on_at_the_next_quiet_moment() -> None:
    """The trade log does not wait for the second; a turn at which news wait is not held up."""
    lookout, _, notes = looking()
    lookout.say("starting")
    request = OrderRequest("dip-1-1", "SPY", Side.BUY, OrderType.MARKET, 3)
    lookout.hear(AT, (INTENT, "dip-1-1", {"group": OrderGroup((request,)), "tickets": ()}))
    fill = Fill("e1", 3, 5.0, AT)
    lookout.hear(AT, (UPDATE, "dip-1-1", {"update": OrderUpdate("dip-1-1", "v", OrderStatus.FILLED, AT, fill)}))
    lookout.look(False)
    assert notes.booked == []
    lookout.look(True)
    assert [each.execution_id for each in notes.booked] == ["e1"]
    assert len(notes.shown) == 1


def test_warming_up_becomes_running_at_the_first_look_of_the_loop() -> None:
    """The loop looks when its history has been played."""
    lookout, clock, notes = looking()
    lookout.attend(broker((3, 2.0, 4.0)), [Data(4.0)])  # type: ignore[list-item]
    clock.pass_(EVERY)
    lookout.look()
    lookout.end("ended by hand")
    lookout.end("twice")
    assert [each.state for each in notes.shown] == ["warming up", "running", "over"]
    assert notes.shown[-1].reason == "ended by hand"
    assert (notes.shown[1].value, notes.shown[1].holdings[0].unrealised) == (1012.0, 6.0)
    assert notes.shown[1].requests == Requests(1, 200)


def test_a_days_gain_is_from_what_was_written_down_at_its_beginning() -> None:
    """The broker writes it; a restart in the middle of the day knows it too."""
    lookout, clock, notes = looking()
    held, data = broker(), Data(5.0)
    held.positions[data].update(10, 4.0)
    lookout.attend(held, [data])  # type: ignore[list-item]
    lookout.hear(AT, (DAY, "2026-10-05", {"value": 1040.0, "lost": 0.0}))
    clock.pass_(EVERY)
    lookout.look()
    assert (notes.shown[-1].day, notes.shown[-1].total) == (10.0, 10.0)
    assert lookout._standing.day == (date(2026, 10, 5), 1040.0)


def test_what_cannot_be_seen_ends_no_session(caplog: pytest.LogCaptureFixture) -> None:
    """It is warned of, and the loop goes on."""
    lookout, _, notes = looking()
    lookout.requests = lambda: 1 // 0  # type: ignore[assignment, return-value]
    with caplog.at_level(logging.WARNING, "switchback.live"):
        lookout.say(RUNNING)
    assert "the session's status is not complete: ZeroDivisionError" in caplog.text
    assert (notes.shown, lookout.state) == ([], RUNNING)


def test_nobody_looks_where_nobody_is_shown_anything() -> None:
    """A drill plays thousands of sessions."""
    lookout = Lookout(Standing(), Clock(), None)  # type: ignore[arg-type]
    lookout.hear(AT, (START, "dip", BEGIN))
    lookout.say(RUNNING)
    lookout.look()
    assert not lookout._heard
