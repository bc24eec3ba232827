"""Limits through whole sessions in lock-step: what just passes, what does not, the exit that does; and restarts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
import requests
from tape import Tape, bars

from brokers import AlpacaVenue
from feeds import AlpacaBars
from framework import Limits, Live, run
from framework.app.sandbox import Sandbox
from framework.columns import joined
from framework.live.journal import JournalReader

Ask = Callable[[Any], Any]


class Scripted(bt.Strategy):
    """Does what `script` says at each `next`, by its number; keeps every order it asked for and all it was told."""

    params = (("script", None),)

    def __init__(self) -> None:
        self.count, self.asked, self.said = 0, [], []
        self.last: dict[int, str] = {}

    def next(self) -> None:
        if self.data.datetime[0] <= self.data.p.opens_at:
            return  # a session that goes on begins on a bar before it
        self.count += 1
        for ask in (self.p.script or {}).get(self.count, ()):
            made = ask(self)
            self.asked += made if isinstance(made, list) else [made]

    def notify_order(self, order: bt.Order) -> None:
        self.last[order.ref] = order.getstatusname()

    def notify_store(self, message: str, *_: Any) -> None:
        self.said.append(message)

    @property
    def reasons(self) -> list[str]:
        """Why each order was refused, "" where it was not."""
        return [each.info.get("reason", "") for each in self.asked if each is not None]


def live(sandbox: Sandbox, script: dict[int, list[Ask]], limits: Limits, session: str = "s", **more: Any) -> Any:
    symbols, warmup = more.pop("symbols", ("SPY", "IBM")), more.pop("warmup", 0)
    there = sandbox.access
    how = Live(session=session, limits=limits, **more)
    source, venue = AlpacaBars(symbols, **there), AlpacaVenue(**there)
    return run(Scripted, source=source, venue=venue, live=how, warmup=warmup, script=script).strategy


def stop(strategy: Scripted) -> None:
    strategy.env.runstop()


def market(size: float, data: int = 0) -> Ask:
    return lambda s: (s.buy if size > 0 else s.sell)(data=s.datas[data], size=abs(size))


def priced(size: float, price: float, kind: int = bt.Order.Limit, data: int = 0) -> Ask:
    return lambda s: (s.buy if size > 0 else s.sell)(data=s.datas[data], size=abs(size), price=price, exectype=kind)


def bracket(s: Scripted) -> list[Any]:
    return list(s.buy_bracket(size=1, price=99.0, stopprice=95.0, limitprice=110.0))


FLAT = [100.0] * 9
TABLE = {
    "order_value": (Limits(order_value=1_000), market(10, 1), market(11, 1)),
    "position_value": (Limits(position_value=1_500), priced(10, 99.0, data=1), market(6, 1)),
    "open_orders": (Limits(open_orders=1), priced(1, 99.0, data=1), market(1, 1)),
    "orders_per_minute": (Limits(orders_per_minute=1), market(1, 1), market(1, 1)),
    "collar": (Limits(collar=0.05), priced(1, 105.0, data=1), priced(1, 105.01, data=1)),
    "symbols": (Limits(symbols=("IBM",)), market(1, 1), market(1)),
}


@pytest.mark.parametrize("name", TABLE)
def test_at_a_limit_an_order_passes_beyond_it_not_and_an_exit_always(name: str, sessions_folder: Path) -> None:
    """A position of an earlier run that is beyond it, then the three orders in one callback."""
    limits, passes, fails = TABLE[name]
    leaves = priced(-20, 95.0) if name == "collar" else market(-20)
    with Sandbox(Tape({"SPY": FLAT, "IBM": FLAT})) as sandbox:
        live(sandbox, {1: [market(20)], 3: [stop]}, Limits())
        played = live(sandbox, {1: [passes, fails, leaves], 3: [stop]}, limits)
    passed, failed, left = played.reasons
    assert (passed, left) == ("", "")
    assert failed.startswith(f"limit {name}: ")
    with JournalReader(sessions_folder / "s.sqlite") as journal:
        assert [each.body["reason"] for each in journal.entries("refused")] == [failed]


def test_a_day_that_has_lost_too_much_lets_positions_be_closed_only() -> None:
    """Just before it, an entry passes; then open entries are cancelled, once, and a restart remembers."""
    prices = [100.0] * 4 + [95.1, 94.9] + [98.0] * 6
    with Sandbox(Tape({"SPY": prices, "IBM": [100.0] * 12})) as sandbox:
        limits = Limits(daily_loss=100)
        bids = {1: [market(20)], 5: [priced(1, 50.0)], 6: [market(1), market(-10)], 8: [stop]}
        first = live(sandbox, bids, limits)
        second = live(sandbox, {1: [market(1), market(-10)]}, limits)
    assert (first.reasons[1], first.reasons[3]) == ("", "")  # the entry before it, the exit after it
    why = "limit daily_loss: 102 was lost today, 100 is allowed; no position is opened before the next trading day"
    assert first.reasons[2] == why
    assert first.last[first.asked[1].ref] == "Canceled"
    assert [each for each in first.said if each.startswith("limit")] == [
        f"{why}, and of the open orders 1 that would are cancelled"
    ]
    assert second.reasons == [why, ""]
    assert not [each for each in second.said if each.startswith("limit")]


def test_a_new_trading_day_begins_at_what_was_known_before_it() -> None:
    """What the night took counts; with the next day entries pass again."""
    night = datetime(2026, 1, 6, 14, 30, tzinfo=UTC)
    third = datetime(2026, 1, 7, 14, 30, tzinfo=UTC)
    spy = joined([bars([100.0] * 4), bars([94.0] * 4, night), bars([94.0] * 4, third)])
    with Sandbox(Tape({"SPY": spy})) as sandbox:
        script = {1: [market(20)], 5: [market(1)], 9: [market(1)]}
        played = live(sandbox, script, Limits(daily_loss=100), symbols=("SPY",))
    assert ["daily_loss" in each for each in played.reasons] == [False, True, False]


def test_a_session_that_goes_on_on_another_day_begins_it_at_what_it_has_then() -> None:
    """What the days before have lost is theirs, and so is what its position was worth in the warm-up."""
    night = datetime(2026, 1, 6, 14, 30, tzinfo=UTC)
    before = bars([100.0] * 3 + [120.0] * 3)
    with Sandbox(Tape({"SPY": joined([before, bars([90.0] * 8, night)])})) as sandbox:
        live(sandbox, {1: [market(20)], 5: [stop]}, Limits(), symbols=("SPY",))
        sandbox.step(3)
        script = {1: [market(1)]}
        played = live(sandbox, script, Limits(daily_loss=100), symbols=("SPY",), warmup=5)
    assert played.reasons == [""]
    assert played.position.size == 21


def test_prices_of_the_warm_up_are_no_loss_of_the_day() -> None:
    """The position is there from its first bar on, at prices that were before."""
    with Sandbox(Tape({"SPY": [100.0, 100.0, 100.0, 80.0, 100.0, *FLAT]})) as sandbox:
        live(sandbox, {1: [market(20)], 6: [stop]}, Limits(), symbols=("SPY",))
        played = live(sandbox, {1: [market(1)]}, Limits(daily_loss=100), symbols=("SPY",), warmup=5)
    assert played.reasons == [""]


@pytest.mark.parametrize("limits", [Limits(open_orders=2), Limits(order_value=50), Limits(orders_per_minute=2)])
def test_a_bracket_is_refused_whole(limits: Limits) -> None:
    """Whether its entry is too much or its last order is one too many."""
    with Sandbox(Tape({"SPY": FLAT, "IBM": FLAT})) as sandbox:
        played = live(sandbox, {1: [bracket], 4: [stop]}, limits)
    (reason,) = {each.removeprefix("its entry was not sent: ") for each in played.reasons}
    assert reason.startswith("limit ")
    assert set(played.last.values()) == {"Rejected"}


def test_a_bracket_within_its_limits_goes_whole_and_its_exits_are_told_apart_after_a_restart() -> None:
    """Exits that wait count nothing; when the entry has filled they are one, and a close passes beside them."""
    limits = Limits(position_value=200, open_orders=3)
    with Sandbox(Tape({"SPY": [100.0, 100.0, 98.0, 98.0, *FLAT], "IBM": [100.0] * 13})) as sandbox:
        first = live(sandbox, {1: [bracket], 4: [stop]}, limits)
        second = live(sandbox, {1: [market(-1), market(-1)], 2: [stop]}, Limits(position_value=100))
    assert first.reasons == ["", "", ""]
    assert first.position.size == 1
    assert [each.startswith("limit position_value") for each in second.reasons] == [False, True]


def test_a_change_beyond_a_limit_is_not_carried_out_and_told() -> None:
    """The order stays as it is; one that makes it smaller is carried out."""

    def change(**how: float) -> Ask:
        return lambda s: s.broker.replace(s.asked[0], **how)

    with Sandbox(Tape({"SPY": FLAT, "IBM": FLAT})) as sandbox:
        script = {1: [priced(10, 90.0)], 3: [change(size=12), change(price=101.0)], 5: [change(size=9, price=91.0)]}
        played = live(sandbox, {**script, 7: [stop]}, Limits(order_value=900))
        keys = {"APCA-API-KEY-ID": sandbox.key, "APCA-API-SECRET-KEY": sandbox.secret}
        asked = requests.get(f"{sandbox.url}/v2/orders?status=open", headers=keys, timeout=10).json()
    told = [each.split(": ", 1)[1] for each in played.said if "stays as it is" in each]
    assert told == [
        "limit order_value: this order is worth 1,080, 900 is allowed",
        "limit order_value: this order is worth 1,010, 900 is allowed",
    ]
    assert [(each["qty"], each["limit_price"]) for each in asked] == [("9", "91")]


def test_what_is_adopted_is_no_gain_and_no_loss() -> None:
    """A position that is taken over in the middle of the day moves where the day began."""
    with Sandbox(Tape({"SPY": [100.0] * 8 + [96.0] * 6, "IBM": [100.0] * 14})) as sandbox:
        live(sandbox, {1: [market(20)], 3: [stop]}, Limits(), session="elsewhere")
        live(sandbox, {1: [stop]}, Limits(daily_loss=70))
        played = live(sandbox, {1: [market(1)], 5: [market(1)]}, Limits(daily_loss=70), adopt=("SPY",))
    assert [bool(each) for each in played.reasons] == [False, True]


def test_the_limits_that_hold_are_in_the_journal(sessions_folder: Path) -> None:
    """With each start."""
    with Sandbox(Tape({"SPY": FLAT, "IBM": FLAT})) as sandbox:
        live(sandbox, {1: [stop]}, Limits(order_value=5_000, symbols=("SPY",)))
    with JournalReader(sessions_folder / "s.sqlite") as journal:
        assert journal.last("start").body["limits"] == {"order_value": 5_000, "stale": 30.0, "symbols": ["SPY"]}
