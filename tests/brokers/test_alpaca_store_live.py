"""Sessions of scripts over a store, on stock Cerebro: what becomes of bars, orders, lines and of the session itself."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_script import DAY, OPEN, Scripted, half_an_hour, live, stop, store_of
from tape import Tape

from brokers import AlpacaVenue
from brokers.alpaca.settings import Settings
from feeds import SampleBars
from framework import Limits, Live, run
from framework.app.sandbox import Sandbox
from framework.columns import Columns
from framework.engine import Cerebro
from framework.engine.data import BarData
from framework.errors import ConfigError, ProtocolError
from framework.live.journal import JournalReader
from framework.live.killswitch import Pulled, pull
from framework.live.lockstep import LockStep

MINUTES, DAYS = bt.TimeFrame.Minutes, bt.TimeFrame.Days
Order = bt.Order


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Half an hour of SPY and IBM, in lock-step."""
    with Sandbox(half_an_hour()) as served:
        yield served


def statuses(strategy: Any) -> list[str]:
    """Return the names of what was told of orders, in turn."""
    return [status for status, _ in strategy.heard]


def orders_of(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return the venue's own list of orders, the oldest first."""
    import requests

    keys = {"APCA-API-KEY-ID": sandbox.key, "APCA-API-SECRET-KEY": sandbox.secret}
    url = f"{sandbox.url}/v2/orders?status=all&direction=asc"
    found: list[dict[str, Any]] = requests.get(url, headers=keys, timeout=10).json()
    return found


# -- the original's defects (facts §5.3), by their numbers


def test_1_several_datas_share_one_socket_and_one_next(sandbox: Sandbox) -> None:
    """The original opened a connection for each data, and `next` was never called."""
    strategy = live(sandbox, symbols=("SPY", "IBM"))
    assert len(strategy.seen) == 30
    assert all(len({data[1] for data in row}) == 1 for row in strategy.seen)
    assert [name for name, status in strategy.statuses if status == "LIVE"] == ["SPY", "IBM"]


def test_2_partial_fills_add_up_to_completed() -> None:
    """The original stayed at Partial for ever, and booked what was filled in all as an increment."""
    with Sandbox(half_an_hour(), settings=Settings(partial=1.0)) as sandbox:
        strategy = live(sandbox, {2: lambda s: s.buy(size=10)})
    assert statuses(strategy)[-1] == "Completed"
    assert statuses(strategy).count("Partial") >= 1
    assert strategy.position.size == 10


def test_3_fractions_of_a_share_are_sent_as_they_are(sandbox: Sandbox) -> None:
    """The original sent 2 where 2.5 were asked for."""
    strategy = live(sandbox, {2: lambda s: s.buy(size=2.5)})
    assert orders_of(sandbox)[0]["qty"] == "2.5"
    assert (statuses(strategy)[-1], strategy.position.size) == ("Completed", 2.5)


def test_4_a_stop_limit_has_its_trigger_and_its_limit(sandbox: Sandbox) -> None:
    """The original had them the wrong way round."""
    live(sandbox, {2: lambda s: s.buy(size=1, exectype=Order.StopLimit, price=105.0, plimit=106.0)})
    (order,) = orders_of(sandbox)
    assert (order["type"], order["stop_price"], order["limit_price"]) == ("stop_limit", "105", "106")


def test_5_a_cancel_is_one_canceled(sandbox: Sandbox) -> None:
    """The original told Canceled and then Rejected."""

    def bid(strategy: Any) -> None:
        strategy.order = strategy.buy(size=1, exectype=Order.Limit, price=1.0)

    strategy = live(sandbox, {2: bid, 4: lambda s: s.cancel(s.order)})
    assert statuses(strategy) == ["Submitted", "Accepted", "Canceled"]


@pytest.mark.parametrize("kind", [bt.Cerebro, Cerebro])
def test_7_a_broken_line_is_told_and_its_bars_are_made_good(sandbox: Sandbox, kind: type[Any]) -> None:
    """The original lost seven bars in three seconds, and told nobody."""
    sandbox.fault("drop", stream="data", after=8)
    strategy = live(sandbox, kind=kind)
    assert strategy.times == [f"{OPEN + timedelta(minutes=each):%H:%M}" for each in range(1, 31)]
    told = [status for _, status in strategy.statuses]
    assert told == ["CONNECTED", "DELAYED", "LIVE", "CONNBROKEN", "CONNECTED", "LIVE"]
    assert any(said.startswith("data: down") for said in strategy.said)


def test_8_an_outage_of_the_gateway_does_not_end_the_run(sandbox: Sandbox) -> None:
    """The original's `getvalue` raised an AttributeError, and with it the run."""
    sandbox.fault("bad_gateway", stream="trading", after=4, count=2)
    strategy = live(sandbox, {n: lambda s: s.broker.getvalue() for n in range(1, 29)} | {2: lambda s: s.buy(size=1)})
    assert len(strategy.seen) == 30
    assert statuses(strategy) == ["Submitted", "Accepted", "Completed"]


def test_12_bars_bear_the_time_at_which_they_end(sandbox: Sandbox) -> None:
    """The original dated them by their beginning: a minute before anybody could know them."""
    assert live(sandbox, {1: stop}).times == ["13:31"]


def test_13_compression_is_honoured_live(sandbox: Sandbox) -> None:
    """The original handed minutes on whatever was asked for."""
    strategy = live(sandbox, compression=5)
    assert strategy.times == ["13:35", "13:40", "13:45", "13:50", "13:55", "14:00"]


def test_13_days_are_days_live() -> None:
    """A bar at each close, made of its minutes, after the days that the sandbox has of before."""
    with Sandbox(SampleBars(["SPY"], "2026-10-01", "2026-10-05")) as sandbox:
        sandbox.step(2 * 390 - 5)
        strategy = live(sandbox, timeframe=DAYS, backfill_start=True, fromdate="2026-10-01")
    dates = [bt.num2date(row[0][1]) for row in strategy.seen]
    assert [f"{each:%d %H:%M}" for each in dates] == ["01 20:00", "02 20:00", "05 20:00"]
    assert statuses(strategy) == []


def test_20_two_stores_trade_in_one_process_at_a_time() -> None:
    """The original was a singleton: the second store was the first."""
    found: dict[str, Any] = {}

    def trade(symbol: str, size: int) -> None:
        with Sandbox(half_an_hour()) as sandbox:
            found[symbol] = live(sandbox, {2: lambda s: s.buy(size=size)}, symbols=(symbol,))

    threads = [threading.Thread(target=trade, args=each) for each in (("SPY", 1), ("IBM", 2))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert {symbol: (each.position.size, len(each.seen)) for symbol, each in found.items()} == {
        "SPY": (1, 30),
        "IBM": (2, 30),
    }


# -- bars


@pytest.mark.parametrize(
    ("how", "kind"),
    [("clone", bt.Cerebro), ("clone", Cerebro), ("only", bt.Cerebro), ("day", bt.Cerebro), ("replay", bt.Cerebro)],
)
def test_resampling_and_replaying_live_are_those_of_a_backtest(how: str, kind: type[Any]) -> None:
    """Backtrader's own filters, by the minutes' time: stock ends windows by the wall clock, and dies of it."""

    def cast(cerebro: Any, data: Any) -> None:
        cerebro.addstrategy(Scripted)
        if how in ("clone", "day"):
            cerebro.adddata(data)
        longer = {"timeframe": DAYS} if how == "day" else {"timeframe": MINUTES, "compression": 5}
        (cerebro.replaydata if how == "replay" else cerebro.resampledata)(data, **longer)

    with Sandbox(half_an_hour("SPY", minutes=390 if how == "day" else 60)) as sandbox:
        store, played, tested = store_of(sandbox), kind(), kind()
        cast(played, store.getdata("SPY", timeframe=MINUTES, backfill_start=False))
        played.setbroker(store.getbroker())
        (lived,) = played.run()
        cast(tested, store.getdata("SPY", timeframe=MINUTES, historical=True, fromdate=DAY))
        (past,) = tested.run()
    assert len(lived.seen) > 0
    assert lived.seen == past.seen


def test_a_line_that_is_not_to_come_again_ends_the_session(sandbox: Sandbox) -> None:
    """`reconnect=False`: the last is DISCONNECTED, and no bar is made up."""
    sandbox.fault("drop", stream="data", after=8)
    strategy = live(sandbox, reconnect=False)
    assert len(strategy.seen) == 8
    assert [status for _, status in strategy.statuses][-2:] == ["CONNBROKEN", "DISCONNECTED"]


def test_what_was_missed_is_left_out_where_it_is_not_asked_for(sandbox: Sandbox) -> None:
    """`backfill=False`: what comes while a line is down, which is what it makes good, does not reach its feed."""
    script = {5: lambda s: s.data0.linked(is_up=False), 8: lambda s: s.data0.linked(is_up=True), 10: stop}
    strategy = live(sandbox, script, symbols=("SPY", "IBM"), backfill=False)
    assert [row[0][0] for row in strategy.seen] == [1, 2, 3, 4, 5, 5, 5, 5, 6, 7]
    assert [row[1][0] for row in strategy.seen] == list(range(1, 11))
    told = [status for name, status in strategy.statuses if name == "SPY"]
    assert told == ["CONNECTED", "DELAYED", "LIVE", "CONNBROKEN", "CONNECTED", "LIVE"]


def test_history_comes_before_and_nothing_is_traded_on_it(sandbox: Sandbox) -> None:
    """DELAYED until the bars are those of now: an order on the backfill is Rejected, with the reason."""
    sandbox.step(10)
    strategy = live(sandbox, {3: lambda s: s.buy(size=1), 12: stop}, backfill_start=True, fromdate=DAY)
    assert strategy.times[0] == "13:31"
    assert strategy.heard == [("Rejected", 3)]
    assert strategy.reasons == ["warming up: the history before the start is not traded"]
    assert [status for _, status in strategy.statuses] == ["CONNECTED", "DELAYED", "LIVE"]


def test_without_a_date_there_is_as_much_history_as_the_indicators_need() -> None:
    """Also those over longer bars: `next` begins with the first live bar."""

    class Averaged(Scripted):
        def __init__(self) -> None:
            super().__init__()
            self.averages = bt.ind.SMA(self.data, period=7), bt.ind.SMA(self.data1, period=3)

    with Sandbox(half_an_hour("SPY", minutes=60)) as sandbox:
        sandbox.step(40)
        store, cerebro = store_of(sandbox), bt.Cerebro()
        cerebro.addstrategy(Averaged)
        data = store.getdata("SPY", timeframe=MINUTES)
        cerebro.adddata(data)
        cerebro.resampledata(data, timeframe=MINUTES, compression=5)
        cerebro.setbroker(store.getbroker())
        (strategy,) = cerebro.run()
    assert strategy.times[0] in ("14:10", "14:11")


def test_bars_of_another_feed_come_before_the_history(sandbox: Sandbox) -> None:
    """`backfill_from`: what somebody has on the disk."""
    stored = half_an_hour("SPY", minutes=5).history()["SPY"]
    earlier = Columns.of(
        [each - 86_400_000_000 for each in stored.end.astype("int64")],
        *(getattr(stored, name) for name in ("open", "high", "low", "close", "volume")),
    )
    strategy = live(sandbox, {7: stop}, backfill_from=BarData(dataname=earlier))
    days = [bt.num2date(row[0][1]).day for row in strategy.seen]
    assert days == [4, 4, 4, 4, 4, 5, 5]


@settings(max_examples=6)
@given(kept=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=8, max_size=12))
def test_whatever_minutes_there_are_a_script_sees_what_run_shows(kept: list[tuple[bool, bool]]) -> None:
    """Minutes without a bar of one symbol or both: the same calls of `next`, with the same bars of both in each."""
    prices = {
        name: [100.0 + at if each[number] else None for at, each in enumerate(kept)]
        for number, name in enumerate(("SPY", "IBM"))
    }
    if any(all(price is None for price in each) for each in prices.values()):
        return
    with Sandbox(Tape(prices, opens=OPEN)) as sandbox:
        script = live(sandbox, symbols=("SPY", "IBM"))
    ran = run(Scripted, source=Tape(prices, opens=OPEN), venue=AlpacaVenue(), warmup=0).strategy
    assert script.seen == ran.seen


# -- orders and the session


def test_a_fill_is_told_before_next_where_that_is_asked_for_and_with_it_where_not(sandbox: Sandbox) -> None:
    """`quicknotify` is Backtrader's own setting, and off in stock Cerebro."""
    told = []
    for quick in (True, False):
        store, cerebro = store_of(sandbox), bt.Cerebro()
        cerebro.addstrategy(Scripted, script={2: lambda s: s.buy(size=1), 5: stop})
        cerebro.adddata(store.getdata("SPY", timeframe=MINUTES, backfill_start=False))
        cerebro.setbroker(store.getbroker())
        (strategy,) = cerebro.run(quicknotify=quick)
        told.append(dict(strategy.heard)["Completed"])
    assert told == [2, 3]


def test_a_named_session_goes_on_with_its_position_and_its_open_order(sandbox: Sandbox) -> None:
    """After a stop the strategy has what it had, and hears of its order."""

    def leave(strategy: Any) -> None:
        strategy.sell(size=10, exectype=Order.Limit, price=500.0)

    how = Live(session="on", durable="OFF")
    first = live(sandbox, {1: lambda s: s.buy(size=10), 3: leave, 5: stop}, how=how)
    held: list[float] = []
    second = live(
        sandbox,
        {1: lambda s: held.append(s.position.size), 2: lambda s: s.cancel(*s.broker.get_orders_open())},
        how=how,
    )
    assert held == [first.position.size] == [10]
    assert statuses(second) == ["Accepted", "Canceled"]
    assert second.broker.getcash() == first.broker.getcash()


def test_what_the_account_holds_is_the_scripts_unless_it_says_otherwise(sandbox: Sandbox) -> None:
    """`use_positions`, as the original had it: on, and for the symbols of the script."""
    live(sandbox, {1: lambda s: s.buy(size=3), 4: stop})
    seen: list[tuple[float, float]] = []

    def look(strategy: Any) -> None:
        seen.append((strategy.position.size, round(strategy.broker.getvalue())))
        stop(strategy)

    for use in (True, False):
        live(sandbox, {1: look}, broker={"use_positions": use})
    live(sandbox, {1: look}, symbols=("IBM",))
    live(sandbox, {1: look}, broker={"use_positions": False}, how=Live(adopt=("SPY",), durable="OFF"))
    assert [size for size, _ in seen] == [3, 0, 0, 3]
    assert seen[0][1] == pytest.approx(100_000, abs=20)


def test_open_orders_of_an_earlier_run_are_not_taken_over_unseen(sandbox: Sandbox) -> None:
    """Its position would be the script's, and its exit nobody's: the start says which session goes on with both."""

    def leave(strategy: Any) -> None:
        strategy.sell(size=3, exectype=Order.Limit, price=500.0)

    first = live(sandbox, {1: lambda s: s.buy(size=3), 3: leave, 6: stop})
    name = first.broker.store.name
    assert first.broker.store.notes == (f"order {name}-1-{leave_ref(first)} is still open at the venue",)
    with pytest.raises(ConfigError, match=f'session="{name}" goes on with it'):
        live(sandbox, {1: stop})
    again = live(sandbox, {1: lambda s: s.cancel(*s.broker.get_orders_open()), 3: stop}, how=Live(session=name))
    assert statuses(again) == ["Accepted", "Canceled"]
    assert again.position.size == 3


def leave_ref(strategy: Any) -> int:
    """Return the number of the one order that is open."""
    (order,) = strategy.broker.get_orders_open()
    return int(order.ref)


def test_cash_is_what_was_asked_for_and_never_more_than_there_is(sandbox: Sandbox) -> None:
    """`getbroker(cash=...)` and `setcash` say the same."""
    store, cerebro = store_of(sandbox), bt.Cerebro()
    cerebro.addstrategy(Scripted, script={1: lambda s: s.buy(size=1), 3: stop})
    cerebro.adddata(store.getdata("SPY", timeframe=MINUTES, backfill_start=False))
    cerebro.setbroker(store.getbroker())
    cerebro.broker.setcash(5_000.0)
    cerebro.broker.setcommission(0.001)
    (strategy,) = cerebro.run()
    assert strategy.broker.startingcash == 5_000.0
    assert strategy.broker.getcash() == pytest.approx(5_000 - 1.001 * strategy.position.price)
    assert live(sandbox, {1: stop}, broker={"cash": 1e9}).broker.startingcash == pytest.approx(100_000, abs=500)


def test_a_second_run_is_a_session_of_its_own(sandbox: Sandbox) -> None:
    """The same Cerebro, the same store: nothing of the first run is left in them."""
    store, cerebro = store_of(sandbox), bt.Cerebro()
    cerebro.addstrategy(Scripted, script={2: lambda s: s.buy(size=1), 5: stop})
    cerebro.adddata(store.getdata("SPY", timeframe=MINUTES, backfill_start=False))
    cerebro.setbroker(store.getbroker(use_positions=False))
    names = []
    for _ in range(2):
        (strategy,) = cerebro.run()
        names.append(store.name)
        assert statuses(strategy) == ["Submitted", "Accepted", "Completed"]
        assert strategy.position.size == 1
    assert names[0] != names[1]


def test_an_error_of_the_strategys_own_ends_the_session(sandbox: Sandbox, sessions_folder: Path) -> None:
    """Stock tells a store nothing of it: no thread and no lock is left, and what was asked for is not sent."""

    def fail(strategy: Any) -> None:
        strategy.buy(size=1)
        raise ZeroDivisionError

    before = threading.active_count()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            live(sandbox, {2: fail}, how=Live(session="broken", durable="OFF"))
    assert threading.active_count() <= before
    with JournalReader(sessions_folder / "broken.sqlite") as journal:
        assert journal.last("stop").body == {"why": "ZeroDivisionError"}
    assert orders_of(sandbox) == []


def test_an_error_of_the_io_thread_is_raised_by_run(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends the I/O side comes out of `cerebro.run`, as what it was."""

    async def broken(self: Any) -> None:
        raise ProtocolError("sandbox", "a clock that went backwards")

    monkeypatch.setattr(LockStep, "run", broken)
    with pytest.raises(ProtocolError, match="a clock that went backwards"):
        live(sandbox)


def test_an_interrupt_ends_the_session_in_order(sandbox: Sandbox) -> None:
    """Ctrl-C: the entry is cancelled and that is heard; the script goes on after `cerebro.run`."""

    def bid(strategy: Any) -> None:
        strategy.buy(size=1, exectype=Order.Limit, price=1.0)

    strategy = live(sandbox, {2: bid, 4: lambda _: os.kill(os.getpid(), signal.SIGINT)})
    assert statuses(strategy) == ["Submitted", "Accepted", "Canceled"]
    assert orders_of(sandbox)[0]["status"] == "canceled"


def test_the_kill_switch_stops_a_script_too(sandbox: Sandbox, sessions_folder: Path) -> None:
    """`switchback halt`: no position is opened, and what is held may be closed."""

    def halt(_: Any) -> None:
        pull(sessions_folder, Pulled(OPEN, reason="enough", session="halted"))

    script = {1: lambda s: s.buy(size=1), 3: halt, 4: lambda s: s.buy(size=1), 6: lambda s: s.close(), 9: stop}
    strategy = live(sandbox, script, how=Live(session="halted", durable="OFF"))
    assert statuses(strategy) == [
        *["Submitted", "Accepted", "Completed"],
        "Rejected",
        *["Submitted", "Accepted", "Completed"],
    ]
    assert "enough" in strategy.reasons[0]


def test_limits_hold_for_a_script_too(sandbox: Sandbox) -> None:
    """An order beyond one is Rejected, with the limit in the reason."""
    how = Live(limits=Limits(order_value=100.0), durable="OFF")
    strategy = live(sandbox, {1: lambda s: s.buy(size=10), 3: stop}, how=how)
    assert statuses(strategy) == ["Rejected"]
    assert strategy.reasons[0].startswith("limit order_value")


def test_what_was_asked_for_is_in_the_journal_before_it_is_at_the_venue(
    sandbox: Sandbox, sessions_folder: Path
) -> None:
    """Each order has an intent under its id, and the start says what the session is."""
    live(sandbox, {1: lambda s: s.buy(size=1), 3: lambda s: s.sell(size=1)}, how=Live(session="book"))
    with JournalReader(sessions_folder / "book.sqlite") as journal:
        assert [each.key for each in journal.entries("intent")] == [
            each["client_order_id"] for each in orders_of(sandbox)
        ]
        start = journal.last("start").body
    assert (start["strategy"], start["money"], start["symbols"]) == ("Scripted", "sandbox", ["SPY"])


def test_an_arrival_wakes_stocks_loop_at_once() -> None:
    """In real time a fill is told long before `qcheck` is over, whatever that is."""
    with Sandbox(half_an_hour(minutes=60), speed=300) as sandbox:
        strategy = live(sandbox, {1: lambda s: s.buy(size=1), 9: stop}, qcheck=600.0)
    assert dict(strategy.heard)["Completed"] <= 4
    assert strategy.times == [
        f"{OPEN + timedelta(minutes=each):%H:%M}" for each in range(first(strategy), first(strategy) + 9)
    ]


def first(strategy: Any) -> int:
    """Return the minute after the open in which a script in real time began."""
    return round((bt.num2date(strategy.seen[0][0][1]).replace(tzinfo=UTC) - OPEN).total_seconds() / 60)


def test_a_broken_line_is_told_of_the_feeds_that_come_over_it() -> None:
    """Stocks and coins have a connection each: when one drops, the other's feeds are as they were."""
    prices = [100.0 + at for at in range(12)]
    stock, coin = Tape({"SPY": prices}, opens=OPEN), Tape({"BTC/USD": prices}, opens=OPEN, calendar="24/7")
    with Sandbox([stock, coin]) as sandbox:
        sandbox.fault("drop", stream="data", after=4)
        strategy = live(sandbox, symbols=("SPY", "BTC/USD"))
    assert [name for name, status in strategy.statuses if status == "CONNBROKEN"] == ["SPY"]
    assert len(strategy.seen) == 12


def test_nothing_is_opened_on_prices_that_have_stopped(sandbox: Sandbox) -> None:
    """An order sent while the line is down is Rejected: its prices are old, whatever the clock says."""

    class Hasty(Scripted):
        def notify_store(self, message: str, *rest: Any) -> None:
            super().notify_store(message)
            if message.startswith("data: down"):
                self.buy(size=1)

    sandbox.fault("drop", stream="data", after=5)
    store, cerebro = store_of(sandbox), bt.Cerebro()
    cerebro.addstrategy(Hasty, script={9: stop})
    cerebro.adddata(store.getdata("SPY", timeframe=MINUTES, backfill_start=False))
    cerebro.setbroker(store.getbroker())
    (strategy,) = cerebro.run(quicknotify=True)
    assert statuses(strategy) == ["Rejected"]
    assert "old" in strategy.reasons[0]


def test_what_else_stock_cerebro_has_goes_on_beside_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """Two strategies, a timer on the exchange's clock, a writer, a sizer and an analyzer."""
    rung: list[str] = []

    class Timed(Scripted):
        def notify_timer(self, timer: Any, when: datetime, *_: Any, **__: Any) -> None:
            rung.append(f"{when:%H:%M}")

    store, cerebro = store_of(sandbox), bt.Cerebro()
    cerebro.addstrategy(Timed, script={3: lambda s: s.buy(), 20: lambda s: s.close()})
    cerebro.addstrategy(Scripted)
    data = store.getdata("SPY", timeframe=MINUTES, backfill_start=False, tz="America/New_York")
    cerebro.adddata(data)
    cerebro.add_timer(when=time(9, 40), tzdata=data, strats=True)
    cerebro.addsizer(bt.sizers.FixedSize, stake=4)
    cerebro.addanalyzer(bt.analyzers.Transactions, _name="made")
    cerebro.addwriter(bt.WriterFile, csv=True, out=str(tmp_path / "out.csv"))
    cerebro.setbroker(store.getbroker())
    timed, other = cerebro.run(quicknotify=True)
    assert rung == ["09:40"]
    assert [each[0][0] for each in timed.analyzers.made.get_analysis().values()] == [4, -4]
    assert (len(timed.seen), other.seen, other.heard) == (30, timed.seen, [])
    rows = [each for each in (tmp_path / "out.csv").read_text().splitlines() if each[:1].isdigit()]
    assert len(rows) == 60  # stock writes one for each strategy
