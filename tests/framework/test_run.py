"""`run`: what its keywords do, and what it says where something is wrong."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any, ClassVar

import backtrader as bt
import pandas as pd
import pytest
from tape import OPEN, Tape

from brokers import AlpacaVenue
from framework import run
from framework.errors import ConfigError


class Seen(bt.Strategy):
    """Notes every call of `next`."""

    params = (("period", 1),)

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []
        for data in self.datas:
            bt.ind.SMA(data, period=self.p.period)

    def next(self) -> None:
        self.seen.append((self.data.datetime.time(0), *(len(data) for data in self.datas)))


class BuyOnce(bt.Strategy):
    """Buys with the first bar and sells with the fourth."""

    params = (("size", 10), ("price", None), ("exectype", None), ("cash", 0))

    def __init__(self) -> None:
        self.news: list[tuple[str, str]] = []

    def next(self) -> None:
        if not self.orders_sent():
            self.buy(size=self.p.size, price=self.p.price, exectype=self.p.exectype)
        elif len(self) == 4:
            self.close()

    def orders_sent(self) -> bool:
        return bool(self.news)

    def notify_order(self, order: Any) -> None:
        self.news.append((order.getstatusname(), str(order.info.get("reason", ""))))


FIVE = [100.0, 101.0, 102.0, 103.0, 104.0]


def test_a_run_leaves_orders_fills_trades_and_equity() -> None:
    """A round trip is two orders, two fills, one trade, and an account that gained what it made."""
    result = run(BuyOnce, source=Tape({"XYZ": FIVE}), commission=0.001)
    assert result.orders["status"].tolist() == ["Completed", "Completed"]
    assert result.fills[["side", "size", "price", "position"]].values.tolist() == [
        ["buy", 10, 101.0, 10.0],
        ["sell", 10, 104.0, 0.0],
    ]
    (trade,) = result.trades.to_dict("records")
    assert (trade["direction"], trade["entry_price"], trade["exit_price"]) == ("long", 101.0, 104.0)
    assert trade["pnl"] == pytest.approx(30 - 0.001 * 10 * (101 + 104))
    assert result.equity.iloc[-1] == pytest.approx(100_000 + trade["pnl"])


def test_times_are_the_ends_of_bars_in_utc() -> None:
    """Equity and fills are stamped with the instant at which their bar was known."""
    result = run(BuyOnce, source=Tape({"XYZ": FIVE}))
    assert result.equity.index[0] == pd.Timestamp(OPEN + timedelta(minutes=1))
    assert result.fills["time"].iloc[0] == pd.Timestamp(OPEN + timedelta(minutes=2))


def test_what_is_still_held_is_listed() -> None:
    """A position open at the end is no trade, but it is not forgotten."""
    result = run(BuyOnce, source=Tape({"XYZ": FIVE[:3]}))
    assert result.trades.empty
    (held,) = result.positions.to_dict("records")
    assert held == {"symbol": "XYZ", "size": 10, "price": 101.0, "last": 102.0, "value": 1020.0, "pnl": 10.0}


def test_a_reversal_is_two_trades() -> None:
    """One order that turns a long position into a short one ends a trade and begins the next."""

    class Reverses(bt.Strategy):
        def next(self) -> None:
            if len(self) in (1, 5):
                self.buy(size=10)
            elif len(self) == 3:
                self.sell(size=20)

    trades = run(Reverses, source=Tape({"XYZ": [100, 100, 101, 102, 103, 99, 99]})).trades
    assert trades[["direction", "size", "entry_price", "exit_price", "pnl"]].values.tolist() == [
        ["long", 10.0, 100.0, 102.0, 20.0],
        ["short", 10.0, 102.0, 99.0, 30.0],
    ]


def test_a_time_means_the_exchanges_wall_clock() -> None:
    """`datetime.time()` is New York's in winter and in summer, unless another zone is asked for."""
    assert run(Seen, source=Tape({"XYZ": FIVE})).strategy.seen[0][0] == time(9, 31)
    summer = OPEN.replace(month=7, day=6, hour=13)
    assert run(Seen, source=Tape({"XYZ": FIVE}, opens=summer)).strategy.seen[0][0] == time(9, 31)
    assert run(Seen, source=Tape({"XYZ": FIVE}), tz="Europe/London").strategy.seen[0][0] == time(14, 31)


def test_auto_warmup_lets_next_begin_with_the_first_bar() -> None:
    """A four-bar average asks for three bars before the start, and `next` is called with the first after it."""
    tape = Tape({"XYZ": range(100, 120)}, start=OPEN + timedelta(minutes=10))
    result = run(Seen, source=tape, period=4)
    assert tape.asked == [3]
    assert result.strategy.seen[0] == (time(9, 41), 4)
    assert len(result.equity) == 10
    assert len(result.bars["XYZ"]) == 10


def test_a_timer_means_the_exchanges_wall_clock() -> None:
    """A timer at 09:33 rings with the bar that ends at 09:33 in New York, once a day."""

    class Rings(bt.Strategy):
        def __init__(self) -> None:
            self.rung: list[time] = []
            self.add_timer(when=time(9, 33))

        def notify_timer(self, timer: Any, when: Any, *args: Any, **kwargs: Any) -> None:
            self.rung.append(self.data.datetime.time(0))

    assert run(Rings, source=Tape({"XYZ": FIVE})).strategy.rung == [time(9, 33)]


def test_auto_warmup_of_longer_bars_reaches_back_far_enough() -> None:
    """Three five-minute bars before the start are warm when the first minute comes."""
    tape = Tape({"XYZ": range(100, 160)}, start=OPEN + timedelta(minutes=30))
    seen = run(Seen, source=tape, resample=["5Min"], period=3).strategy.seen
    assert next(each for each in seen if each[0] > time(10, 0))[2] == 3
    assert seen[0] == (time(10, 0), 15, 3)
    assert isinstance(tape.asked[0], timedelta)


def test_nothing_trades_in_the_warmup() -> None:
    """An order sent on a bar before the start is Rejected, with the reason, and the next may pass."""
    tape = Tape({"XYZ": FIVE}, start=OPEN + timedelta(minutes=2))
    result = run(BuyOnce, source=tape, warmup=2)
    assert result.strategy.news[0] == ("Rejected", "warming up: the history before the start is not traded")
    assert result.fills.empty
    assert result.orders["reason"].iloc[0].startswith("warming up")


def test_a_warmup_that_is_too_short_is_named() -> None:
    """What `next` waited for in vain is said, bar by bar."""
    result = run(Seen, source=Tape({"XYZ": FIVE[:3]}), period=21)
    assert result.notes == ("next was never called; it waited for XYZ: 3 of 21 bars",)
    assert result.strategy.seen == []


def test_a_late_beginning_is_named() -> None:
    """A source with less history than the indicators need says how far it was at the start."""
    tape = Tape({"XYZ": range(100, 120)}, start=OPEN + timedelta(minutes=2))
    assert run(Seen, source=tape, period=6).notes == (
        "next was not called from the start; it waited for XYZ: 2 of 6 bars",
    )


def test_longer_bars_come_after_the_minutes_of_all_symbols() -> None:
    """`resample` adds a feed of each symbol, delivered with the minute that completes it."""
    tape = Tape({"A": range(100, 110), "B": range(200, 210)})
    strategy = run(Seen, source=tape, resample=["5Min"]).strategy
    assert [data._name for data in strategy.datas] == ["A", "B", "A 5Min", "B 5Min"]
    assert strategy.seen[0] == (time(9, 35), 5, 5, 1, 1)
    assert strategy.datas[2].open[-1] == 100
    assert strategy.datas[2].close[-1] == 104


def test_symbols_with_holes_stay_aligned() -> None:
    """A minute in which one symbol has no bar moves the other alone, and one instant is one `next`."""
    tape = Tape({"A": [1, 2, None, 4], "B": [1, None, 3, 4]})
    assert [each[1:] for each in run(Seen, source=tape).strategy.seen] == [(1, 1), (2, 1), (2, 2), (3, 3)]


class Hasty(bt.Strategy):
    """Sells at a price that the last bar has already seen, while the symbol has no new one."""

    def next(self) -> None:
        if len(self) == 2:
            self.sell(self.data0, size=1, exectype=bt.Order.Limit, price=100.0)


def test_fills_in_the_past_are_owned_up_to() -> None:
    """Stock fills on a bar that had ended before the order, where another symbol's bar comes: a note says so."""
    holes = Tape({"A": [100, (100, 101, 99, 100), None, 90], "B": [50, 50, 50, 50]})
    assert run(Hasty, source=holes).notes[0].startswith("1 of 1 fills are on a bar that had ended before")
    venue = run(Hasty, source=holes, venue=AlpacaVenue())
    assert (venue.notes, len(venue.fills), venue.engine) == ((), 0, "lean")
    whole = Tape({"A": [100, (100, 101, 99, 100), 90, 90], "B": [50, 50, 50, 50]})
    assert run(Hasty, source=whole).notes == ()


def test_a_list_of_sources_is_one_run() -> None:
    """Two sources give their symbols in order; a symbol in both is refused."""
    first, second = Tape({"A": FIVE}), Tape({"B": FIVE})
    assert [data._name for data in run(Seen, source=[first, second]).strategy.datas] == ["A", "B"]
    with pytest.raises(ConfigError, match="A comes from more than one source"):
        run(Seen, source=[first, Tape({"A": FIVE})])


def test_costs_sizer_and_analyzers_are_backtraders() -> None:
    """Slippage, a fixed size and an analyzer given with options reach Backtrader."""

    class Buys(bt.Strategy):
        def next(self) -> None:
            if not self.position:
                self.buy()

    result = run(
        Buys,
        source=Tape({"XYZ": [(100, 110, 90, 100)] * 4}),
        slippage=0.01,
        sizer=7,
        analyzers=[(bt.analyzers.Transactions, {"_name": "deals"})],
    )
    assert result.fills[["size", "price"]].values.tolist() == [[7, 101.0]]
    assert len(result.strategy.analyzers.deals.get_analysis()) == 1


def test_quicknotify_says_when_a_fill_is_heard_of() -> None:
    """By default a fill is notified before `len` moves; without quicknotify, with the bar."""

    class Listens(bt.Strategy):
        heard: ClassVar[list[int]] = []

        def next(self) -> None:
            if len(self) == 1:
                self.buy()

        def notify_order(self, order: Any) -> None:
            if order.status == order.Completed:
                self.heard.append(len(self))

    run(Listens, source=Tape({"XYZ": FIVE}))
    run(Listens, source=Tape({"XYZ": FIVE}), quicknotify=False)
    assert Listens.heard == [1, 2]


class Answers(bt.Strategy):
    """Buys once, and answers the fill with a sale a dollar above."""

    def next(self) -> None:
        if len(self) == 1:
            self.buy(size=1)

    def notify_order(self, order: Any) -> None:
        if order.status == order.Completed and order.isbuy():
            self.sell(size=1, exectype=bt.Order.Limit, price=order.executed.price + 1)


def test_within_the_bar_an_answer_works_at_once() -> None:
    """With `intrabar` the sale that answers a fill is filled by the rest of the same bar."""
    tape = Tape({"XYZ": [100.0, (100.0, 102.0, 99.5, 100.0), (100.0, 100.5, 99.5, 100.0)]})
    assert len(run(Answers, source=tape).fills) == 1
    result = run(Answers, source=tape, intrabar=True)
    assert result.fills["price"].tolist() == [100.0, 101.0]
    assert result.engine == "lean, intrabar"


def test_the_stock_engine_gives_the_same() -> None:
    """`engine="stock"` is Backtrader's own loop, and every table is the same."""
    tape = Tape({"XYZ": FIVE})
    ours, stock = run(BuyOnce, source=tape), run(BuyOnce, source=tape, engine="stock")
    assert (ours.engine, stock.engine) == ("lean", "stock: asked for")
    for name in ("fills", "trades"):
        assert (
            getattr(ours, name)
            .drop(columns="ref", errors="ignore")
            .equals(getattr(stock, name).drop(columns="ref", errors="ignore"))
        )
    assert ours.equity.equals(stock.equity)


def test_history_is_refused_live() -> None:
    """`live=True` never runs something else in silence."""
    with pytest.raises(ConfigError, match="Tape is history and does not go on live; give a live source"):
        run(BuyOnce, source=Tape({"XYZ": FIVE}), live=True)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"siez": 3}, r"BuyOnce has no parameter 'siez' \(did you mean size\?\); it has: size"),
        ({"params": {"pricee": 3}}, r"did you mean price\?"),
        ({"size": 3, "params": {"size": 4}}, "size is given twice"),
        ({"cash": 5_000}, r"BuyOnce has a parameter cash and so has run\(\)"),
        ({"params": {"cash": 1}, "cash": -5}, "cash=-5 is not an amount to start with"),
        ({"params": {"cash": 1}, "commission": 5}, "commission=5 is not a fraction"),
        ({"slippage": -0.1}, "slippage=-0.1 is not a fraction"),
        ({"resample": ["3 parsecs"]}, "'3 parsecs' is not understood; try 1Min"),
        ({"resample": ["1Min"]}, "cannot make 1Min bars of 1Min bars"),
        ({"resample": ["5Min", "5Min"]}, "resample names a timeframe twice"),
        ({"tz": "Mars/Olympus"}, "time zone"),
        ({"engine": "staock"}, r"engine='staock' is not known \(did you mean stock\?\)"),
        ({"engine": "stock", "intrabar": True}, "intrabar=True needs the lean engine"),
        ({"warmup": -3}, "warmup"),
    ],
)
def test_bad_input_gets_one_clear_line(keywords: dict[str, Any], message: str) -> None:
    """What was asked, what was found, what to try: in one line."""
    with pytest.raises(ConfigError, match=message) as caught:
        run(BuyOnce, source=Tape({"XYZ": FIVE}), **keywords)
    assert "\n" not in str(caught.value)


def test_a_class_that_is_no_strategy_is_refused() -> None:
    """An instance or another class is named in the error."""
    with pytest.raises(ConfigError, match=r"must be a bt\.Strategy subclass, not"):
        run(object, source=Tape({"XYZ": FIVE}))
