"""The live loop in real time, on a bridge that is filled beforehand and a clock that the test sets."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import backtrader as bt
import pytest

from brokers.alpaca.protocol import AlpacaRules
from framework.calendar import Calendar
from framework.columns import Columns
from framework.engine.live import PAUSE, TICK, Line, LiveCerebro
from framework.engine.live_broker import LiveBroker
from framework.engine.live_data import LiveData, number
from framework.feeding import Feed
from framework.live.bridge import Bridge
from framework.live.clock import VenueClock, VirtualClock
from framework.live.commands import Cancel, End, Instant, Submit
from framework.live.journal import SqliteJournal
from framework.live.records import Records
from framework.live.windows import Cut, Growing
from framework.model import (
    MINUTE,
    Bar,
    Fill,
    Link,
    OrderStatus,
    OrderUpdate,
    Quote,
    Remark,
    Revision,
    Timeframe,
)  # fmt: skip
from framework.stage import data_options

T0 = datetime(2026, 10, 5, 13, 31, tzinfo=UTC)
FIVE = Timeframe.parse("5Min")
XNYS = Calendar("XNYS")


class Script(Bridge):
    """A bridge whose news are callables: each sets the clock and returns what is told then, or None for silence."""

    def __init__(self, steps: list[Callable[[], Any]]) -> None:
        super().__init__()
        self.steps, self.sent, self.waits = steps, [], []

    def wait(self, seconds: float | None = None) -> Any | None:
        self.waits.append(seconds)
        if seconds == 0.0:
            return None
        return self.steps.pop(0)() if self.steps else End()

    def send(self, *commands: Any) -> None:
        self.sent.extend(commands)


class Stage:
    """One strategy on SPY and IBM, whose steps are written down first and then run."""

    def __init__(self, records: Records) -> None:
        self.clock = VenueClock(T0, None, VirtualClock())
        self.clock.speed = 1.0
        self.records = records
        self.steps: list[Callable[[], Any]] = []
        self.at = T0
        self.clock.now = lambda: self.at  # type: ignore[method-assign]

    def then(self, news: Any, at: datetime | None = None) -> None:
        def step() -> Any:
            self.at = at or self.at
            return news

        self.steps.append(step)

    def filled(self, nth: int, fill: Fill) -> None:
        """The nth order that was sent fills."""
        self.steps.append(lambda: OrderUpdate(self.ids[nth], "v", OrderStatus.FILLED, fill.at, fill))

    @property
    def ids(self) -> list[str]:
        """The ids of the orders that were sent."""
        return [each.group.orders[0].client_order_id for each in self.bridge.sent if isinstance(each, Submit)]

    def instant(self, minute: int, *symbols: str, late: float = 0.0, is_late: bool = False) -> None:
        end = T0 + timedelta(minutes=minute)
        bars = tuple(Bar(each, end, 10, 11, 9, 10, 100) for each in symbols)
        self.then(Instant(end, bars, is_late=is_late), end + timedelta(seconds=late))

    def run(self, strategy: type[bt.Strategy], *, longer: bool = False, **params: Any) -> Any:
        self.bridge = Script(self.steps)
        cerebro = LiveCerebro(stdstats=False, quicknotify=True)
        feeds = [Feed(each, MINUTE, XNYS, Columns.empty(), T0 - timedelta(minutes=1)) for each in ("SPY", "IBM")]
        windows = []
        if longer:
            feeds.append(Feed("SPY", FIVE, XNYS, Columns.empty(), T0 - timedelta(minutes=1), is_resampled=True))
            windows.append(Growing("SPY", FIVE, Cut(MINUTE, FIVE, XNYS)))
        for feed in feeds:
            options = data_options(feed, XNYS.zone)
            cerebro.adddata(LiveData(**options, unit=feed.timeframe, is_made=feed.is_resampled), name=feed.name)
        broker = LiveBroker(rules=AlpacaRules())
        broker.setcash(100_000)
        broker.connect("test", 1, self.bridge.send, self.records)
        cerebro.setbroker(broker)
        cerebro.addstrategy(strategy, **params)
        cerebro.line = Line(self.bridge, self.clock, self.records, is_told=False, windows=tuple(windows))
        (played,) = cerebro.run()
        self.tally, self.broker = cerebro.tally, broker
        return played


@pytest.fixture
def stage(tmp_path: Any) -> Iterator[Stage]:
    """A stage with a journal of its own."""
    with SqliteJournal(tmp_path / "s.sqlite", VirtualClock(), synchronous="OFF") as journal:
        yield Stage(Records(journal))


class Diary(bt.Strategy):
    """Notes everything it is told, and does what `script` says at its nth `next`."""

    params = (("script", None),)

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.count = 0

    def next(self) -> None:
        self.count += 1
        self.told.append(("next", [len(each) for each in self.datas]))
        if self.p.script and self.count in self.p.script:
            self.p.script[self.count](self)

    prenext = next

    def notify_order(self, order: bt.Order) -> None:
        self.told.append((order.getstatusname(), order.info.get("reason", "")))

    def notify_data(self, data: Any, status: int, *_: Any) -> None:
        self.told.append((data._name, data._getstatusname(status)))

    def notify_store(self, message: str, *_: Any) -> None:
        self.told.append(message)

    def notify_timer(self, timer: Any, when: Any, *_: Any, **__: Any) -> None:
        self.told.append(("timer", when))

    def notify_revision(self, revision: Revision) -> None:
        self.told.append(revision)

    def notify_quote(self, quote: Quote) -> None:
        self.told.append(quote)


def test_one_next_an_instant_and_one_of_its_own_for_a_late_bar(stage: Stage) -> None:
    """Two symbols make one `next`; the bar that came after its instant makes another, and is counted."""
    stage.instant(0, "SPY", "IBM")
    stage.instant(1, "SPY")
    stage.instant(1, "IBM", is_late=True)
    played = stage.run(Diary)
    assert [each for each in played.told if each[0] == "next"] == [
        ("next", [1, 1]), ("next", [2, 1]), ("next", [2, 2]),
    ]  # fmt: skip
    assert stage.tally.told() == ["1 bars came after their instant, and had a next of their own"]


def test_value_has_the_fill_when_it_is_notified(stage: Stage) -> None:
    """Between two bars too: five shares bought at 9 are worth 10 each, as the last bar closed."""
    stage.instant(0, "SPY", "IBM")
    stage.filled(0, Fill("e", 5, 9.0, T0 + timedelta(seconds=2)))
    values = []

    class Values(Diary):
        def notify_order(self, order: bt.Order) -> None:
            if order.status == order.Completed:
                values.append(self.broker.getvalue())

    stage.run(Values, script={1: lambda s: s.buy(size=5)})
    assert values == [100_005.0]


def test_fill_is_notified_when_it_comes_and_its_answer_leaves_at_once(stage: Stage) -> None:
    """Between two bars: the strategy hears of it, sends an exit, and the exit is on its way."""
    stage.instant(0, "SPY", "IBM")
    fill = Fill("e", 5, 10.0, T0 + timedelta(seconds=2))
    stage.filled(0, fill)

    class Exits(Diary):
        def next(self) -> None:
            self.buy(size=5)

        def notify_order(self, order: bt.Order) -> None:
            super().notify_order(order)
            if order.status == order.Completed and order.isbuy():
                self.sell(size=5, exectype=bt.Order.Limit, price=11)

    played = stage.run(Exits)
    assert [each[0] for each in played.told if each[0] in bt.Order.Status] == [
        "Submitted", "Accepted", "Completed", "Submitted",
    ]  # fmt: skip
    entry, exit_ = (each.group for each in stage.bridge.sent if isinstance(each, Submit))
    assert (entry.is_exit, exit_.is_exit) == (False, True)
    assert exit_.orders[0].limit_price == 11


def test_no_position_is_opened_on_old_bars_but_one_is_closed(stage: Stage) -> None:
    """Bars that were missed are played later than they happened: an entry is refused, an exit goes."""
    stage.instant(0, "SPY", "IBM", late=120)
    stage.instant(1, "SPY", "IBM")

    def both(strategy: Diary) -> None:
        strategy.broker.positions[strategy.datas[1]].fix(5, 10.0)
        strategy.buy(size=1)
        strategy.sell(data=strategy.datas[1], size=5)

    played = stage.run(Diary, script={1: both, 2: lambda s: s.buy(size=1)})
    refused = "limit stale: the prices are 120 s old, no position is opened on stale data"
    assert ("Rejected", refused) in played.told
    assert [each.group.orders[0].symbol for each in stage.bridge.sent] == ["IBM", "SPY"]
    assert [each for each in played.told if each[0] == "SPY"] == [("SPY", "DELAYED"), ("SPY", "LIVE")]


def test_no_position_is_opened_while_the_prices_are_cut_off(stage: Stage) -> None:
    """The data stream is down: what a fill or a timer asks for in the meantime is refused, and told."""
    stage.instant(0, "SPY", "IBM")
    stage.then(Link("data", False, T0, "cut"), T0 + timedelta(seconds=7))

    class Asks(Diary):
        def notify_store(self, message: str, *rest: Any) -> None:
            super().notify_store(message)
            self.buy(size=1)

    played = stage.run(Asks)
    assert "data: down (cut)" in played.told
    assert ("Rejected", "limit stale: the prices are 7 s old, no position is opened on stale data") in played.told
    assert stage.bridge.sent == []


def test_what_was_missed_is_told_once_before_the_first_next_of_now(stage: Stage) -> None:
    """How many instants, from when to when, of which symbols; what is asked for in answer is still refused."""
    stage.instant(0, "SPY", "IBM", late=300)
    stage.instant(1, "SPY", late=240)
    stage.instant(5, "SPY", "IBM")
    stage.instant(6, "SPY", "IBM")

    class Asks(Diary):
        def notify_store(self, message: str, *rest: Any) -> None:
            super().notify_store(message)
            self.buy(size=1)

    played = stage.run(Asks)
    missed = "2 instants were played late, from 2026-10-05 13:31 to 13:32: SPY, IBM; entries were refused on them"
    told = [each for each in played.told if each == missed or each[0] in ("next", "Rejected")]
    assert [each[0] if isinstance(each, tuple) else each for each in told] == [
        "next", "next", missed, "Rejected", "next", "next",
    ]  # fmt: skip


def test_what_was_missed_is_told_when_the_line_is_up_again(stage: Stage) -> None:
    """The end of the catch-up, where no bar of now has come yet."""
    stage.instant(0, "SPY", "IBM")
    stage.then(Link("data", False, T0, "cut"), T0 + timedelta(seconds=7))
    stage.instant(1, "SPY", late=120)
    stage.then(Link("data", True, T0 + timedelta(minutes=3)))
    played = stage.run(Diary)
    assert [each for each in played.told if isinstance(each, str)][-2:] == [
        "data: up", "1 instant was played late, at 2026-10-05 13:32: SPY; entries were refused on them",
    ]  # fmt: skip


@pytest.mark.parametrize("why", ["SPY is halted at its exchange (news); exits and cancels pass", "the switch is off"])
def test_no_position_is_opened_in_a_halted_symbol_or_by_a_barred_session(stage: Stage, why: str) -> None:
    """The reason is the order's; an exit goes."""
    stage.instant(0, "SPY", "IBM")

    def both(strategy: Diary) -> None:
        strategy.broker.positions[strategy.data].fix(5, 10.0)
        if "halted" in why:
            strategy.broker.halted["SPY"] = "news"
        else:
            strategy.broker.refusals.append(lambda order: "" if strategy.broker.only_reduces(order) else why)
        strategy.buy(size=1)
        strategy.sell(size=5)

    played = stage.run(Diary, script={1: both})
    assert ("Rejected", why) in played.told
    assert [each.group.orders[0].side.value for each in stage.bridge.sent] == ["sell"]


def test_orders_go_while_only_the_stream_of_orders_is_down(stage: Stage) -> None:
    """Prices are there, and answers come by another way."""
    stage.instant(0, "SPY", "IBM")
    stage.then(Link("trade_updates", False, T0, "cut", brings_prices=False))
    stage.instant(1, "SPY", "IBM")
    stage.run(Diary, script={2: lambda s: s.buy(size=1)})
    assert len(stage.bridge.sent) == 1


def test_timer_goes_off_by_the_clock_though_no_bar_comes(stage: Stage) -> None:
    """Nobody trades, and the timer at 9:45 is told at 9:45 in New York."""

    class Timed(Diary):
        def __init__(self) -> None:
            super().__init__()
            self.add_timer(time(9, 45))

    stage.instant(0, "SPY", "IBM")
    stage.then(None, T0 + timedelta(minutes=13, seconds=59))
    stage.then(None, T0 + timedelta(minutes=14))
    stage.then(None, T0 + timedelta(minutes=15))
    played = stage.run(Timed)
    assert [each[0] for each in played.told].count("timer") == 1
    assert {each for each in stage.bridge.waits if each} == {PAUSE, TICK}


def test_longer_bar_comes_with_its_last_minute_or_soon_after_its_end(stage: Stage) -> None:
    """Five minutes end with the fifth; where that has no trade, three seconds later by the clock."""
    for minute in range(5):
        stage.instant(minute, "SPY", "IBM")
    stage.instant(5, "SPY", "IBM")
    stage.then(None, T0 + timedelta(minutes=9, seconds=2))
    stage.then(None, T0 + timedelta(minutes=9, seconds=4))
    played = stage.run(Diary, longer=True)
    counts = [lengths for name, lengths in (each for each in played.told if each[0] == "next")]
    assert counts[3:] == [[4, 4, 0], [5, 5, 1], [6, 6, 1], [6, 6, 2]]
    assert played.datas[2].datetime[0] == number(T0 + timedelta(minutes=9))


def test_revisions_quotes_and_remarks_reach_a_strategy_that_asks_for_them(stage: Stage) -> None:
    """Each by a method of its own; a strategy without it is left alone."""
    bar = Bar("SPY", T0, 10, 11, 9, 10, 100)
    quote = Quote("SPY", T0, 9, 1, 11, 1)
    for each in (Revision(bar), quote, Remark("the clock is ahead")):
        stage.then(each)
    assert stage.run(Diary).told == [Revision(bar), quote, "the clock is ahead"]
    stage.then(quote)
    stage.run(bt.Strategy)


@pytest.mark.parametrize(("is_told", "first"), [(False, "IBM"), (True, "SPY")])
def test_exits_of_one_breath_leave_first_but_for_lock_step(stage: Stage, is_told: bool, first: str) -> None:
    """An entry in SPY is asked for, then the close of IBM: the close leaves, and is journalled, before it."""

    def turn(diary: Diary) -> None:
        diary.buy(diary.datas[0], size=10)
        diary.close(diary.datas[1])

    stage.instant(0, "SPY", "IBM")
    stage.filled(0, Fill("e", 10, 10.0, T0 + timedelta(seconds=1)))
    stage.instant(1, "SPY", "IBM")

    def enter(diary: Diary) -> None:
        diary.broker.keeps_turns = is_told
        diary.buy(diary.datas[1], size=10)

    stage.run(Diary, script={1: enter, 2: turn})
    sent = [each.group.orders[0] for each in stage.bridge.sent if isinstance(each, Submit)]
    journalled = [each.key for each in stage.records.entries("intent")]
    assert [each.symbol for each in sent] == ["IBM", *(("IBM", "SPY") if first == "IBM" else ("SPY", "IBM"))]
    assert journalled == [each.client_order_id for each in sent]


def test_late_half_of_an_oco_ends_with_its_other_half(stage: Stage) -> None:
    """Sent at another time than its partner, the venue does not know of the bond: it is cancelled from here."""
    stage.instant(0, "SPY", "IBM")
    stage.instant(1, "SPY", "IBM")
    orders: list[Any] = []

    def first(strategy: Diary) -> None:
        orders.append(strategy.sell(size=1, exectype=bt.Order.Limit, price=12))

    def second(strategy: Diary) -> None:
        orders.append(strategy.sell(size=1, exectype=bt.Order.Stop, price=8, oco=orders[0]))

    stage.filled(0, Fill("e", 1, 12.0, T0))
    stage.run(Diary, script={1: first, 2: second})
    assert stage.bridge.sent[2:] == [Cancel(stage.ids[1])]


def test_orders_that_are_over_and_trades_that_are_closed_are_not_kept(stage: Stage) -> None:
    """Two round trips and an order that was taken back: Backtrader keeps all of it, and a session has no end."""
    for minute in range(4):
        stage.instant(minute, "SPY", "IBM")
        stage.filled(minute, Fill(str(minute), 5, 10.0, T0 + timedelta(minutes=minute, seconds=2)))
    stage.instant(4, "SPY", "IBM")
    steps = {1: Diary.buy, 2: Diary.sell, 3: Diary.buy, 4: Diary.sell}
    taken_back = {5: lambda s: s.cancel(s.buy(size=5))}
    played = stage.run(Diary, script={at: lambda s, do=do: do(s, size=5) for at, do in steps.items()} | taken_back)
    assert sum(name == "Completed" for name, *_ in played.told) == 4
    broker = played.broker
    assert (broker.orders, broker._ocol, broker._ids, broker._together, played._orders) == ([], {}, {}, {}, [])
    (trades,) = played._trades[played.data].values()
    assert [each.isclosed for each in trades] == [True]
