"""A live session while a symbol is halted, against the sandbox in lock-step."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
from tape import OPEN, Tape

from brokers import AlpacaVenue
from feeds import AlpacaBars
from framework import Live, run
from framework.app.sandbox import Sandbox
from framework.columns import moment
from framework.live.journal import JournalReader
from framework.live.story import Story
from framework.sandbox.actions import Halted

MINUTE = timedelta(minutes=1)
PRICES = {"SPY": [100.0 + at for at in range(10)], "IBM": [50.0 + at for at in range(10)]}
HALT = Halted("IBM", OPEN + 3 * MINUTE, OPEN + 6 * MINUTE)
WHY = "IBM is halted at its exchange (T1: news pending); exits and cancels pass"


@pytest.fixture(autouse=True)
def sessions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Journals of their own."""
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))
    return tmp_path


class Scripted(bt.Strategy):
    """Does what `script` says at each `next`, by its number, and notes what it hears."""

    params = (("script", None),)

    def __init__(self) -> None:
        self.count = 0
        self.said: list[tuple[int, str]] = []
        self.told: list[tuple[int, str, str]] = []

    def next(self) -> None:
        self.count += 1
        if step := (self.p.script or {}).get(self.count):
            step(self)

    def notify_order(self, order: bt.Order) -> None:
        self.told.append((self.count, order.getstatusname(), str(order.info.get("reason", ""))))

    def notify_store(self, message: str, *_: Any) -> None:
        self.said.append((self.count, message))


class Brief(Scripted):
    """Ends a while after the halt: a clock that runs would go on to the close."""

    params = (("last", 0.0),)

    def next(self) -> None:
        if self.data.datetime[0] >= self.p.last:
            self.env.runstop()


def live(script: dict[int, Callable[[Any], Any]], strategy: type[Scripted] = Scripted, **options: Any) -> Any:
    """Run a strategy on SPY and IBM, which is halted from its third minute to its sixth."""
    with Sandbox(Tape(PRICES), halts=[HALT], **options) as sandbox:
        source, venue = AlpacaBars(["SPY", "IBM"], **sandbox.access), AlpacaVenue(**sandbox.access)
        return run(strategy, source=source, venue=venue, live=Live(session="h"), warmup=0, script=script)


def ibm(strategy: Scripted, **options: Any) -> Any:
    return strategy.buy(data=strategy.datas[1], size=10, **options)


def test_a_halt_and_its_end_are_told_to_the_strategy() -> None:
    """Through `notify_store`, before the bars of their instant; the halted minutes never existed."""
    result = live({})
    assert [each for each in result.strategy.said if "IBM" in each[1]] == [
        (2, "IBM: halted (T1: news pending)"), (5, "IBM: trades again")
    ]  # fmt: skip
    assert len(result.bars["IBM"]) == 7
    assert len(result.bars["SPY"]) == 10


def test_no_position_is_opened_in_a_halted_symbol() -> None:
    """The order is Rejected with the reason; SPY trades on, and IBM does after the halt."""
    script = {4: ibm, 5: lambda strategy: strategy.buy(size=1), 7: ibm}
    told = live(script).strategy.told
    assert told[:1] == [(4, "Rejected", WHY)]
    assert [(count, status) for count, status, _ in told if status == "Completed"] == [
        (5, "Completed"),
        (7, "Completed"),
    ]


def test_an_exit_of_a_halted_symbol_is_sent_and_fills_when_it_trades_again() -> None:
    """Exchanges queue orders over a halt."""
    result = live({1: ibm, 4: lambda strategy: strategy.close(data=strategy.datas[1])})
    fills = result.fills[result.fills.side == "sell"]
    assert fills.price.tolist() == [56.0]


def test_an_order_that_rests_may_be_canceled_in_a_halt() -> None:
    """A cancel passes."""
    orders: list[Any] = []
    buy = lambda strategy: orders.append(ibm(strategy, exectype=bt.Order.Limit, price=10.0))  # noqa: E731
    told = live({1: buy, 4: lambda strategy: strategy.cancel(orders[0])}).strategy.told
    assert told[-1][:2] == (4, "Canceled")


def test_a_halt_is_in_the_journal_and_told_as_a_line(sessions: Path) -> None:
    """Whoever reads it afterwards sees why nothing was bought."""
    live({})
    story = Story()
    with JournalReader(sessions / "h.sqlite") as journal:
        told = [
            story.take(each.at, each.kind, each.key, each.body) for each in journal.entries() if each.kind == "halt"
        ]
    assert [(line.subject, line.text) for each in told for line in each] == [
        ("IBM", "halted at its exchange (T1: news pending)"), ("IBM", "trades again")
    ]  # fmt: skip


def test_a_session_in_real_time_goes_on_over_a_halt() -> None:
    """On a clock that runs, instants do not wait for the symbol, and the bars after the halt are told."""
    begins, ends, last = (OPEN + at * MINUTE for at in (40, 44, 47))  # it has four seconds to begin
    tape = Tape({name: [50.0 + at for at in range(60)] for name in ("SPY", "IBM")})
    with Sandbox(tape, halts=[Halted("IBM", begins, ends)], speed=600) as sandbox:
        source, venue = AlpacaBars(["SPY", "IBM"], **sandbox.access), AlpacaVenue(**sandbox.access)
        how = {"warmup": 0, "last": bt.date2num(last.replace(tzinfo=None))}
        result = run(Brief, source=source, venue=venue, live=Live(session="h"), **how)
    assert [text for _, text in result.strategy.said if "IBM" in text] == [
        "IBM: halted (T1: news pending)", "IBM: trades again"
    ]  # fmt: skip
    bars = {name: map(moment, each.end) for name, each in result.bars.items()}
    told = {name: [at for at in each if begins < at <= last] for name, each in bars.items()}
    assert told["SPY"] == [begins + at * MINUTE for at in range(1, 8)]
    assert told["IBM"] == [ends + at * MINUTE for at in range(1, 4)]
