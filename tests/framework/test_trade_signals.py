"""Signals in a live session: woken at once, told once, and told again where nobody had acted on them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest

from brokers import AlpacaVenue
from feeds import AlpacaBars, AlphaHubSignals, SampleBars, SampleSignals
from feeds.alphahub.sandbox_signals import Publication
from framework import Live, run
from framework.app.sandbox import Sandbox
from framework.errors import ConfigError
from framework.live.journal import JournalReader
from framework.live.records import INTENT, SIGNALS, TOLD, UPDATE
from strategies.signal_follower import SignalFollower

DAY = "2026-10-05"
OPEN = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)
BARS = SampleBars(["SPY", "IBM"], DAY, OPEN + timedelta(minutes=40))


@pytest.fixture(autouse=True)
def sessions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Journals of their own."""
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))
    return tmp_path


def published(minute: float, **lists: list[dict[str, Any]]) -> Publication:
    return Publication(16, OPEN + timedelta(minutes=minute), **lists)


def buy(symbol: str, **more: Any) -> dict[str, Any]:
    return {"symbol": symbol, "side": "buy", **more}


def sell(symbol: str, **more: Any) -> dict[str, Any]:
    return {"symbol": symbol, "side": "sell", **more}


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Forty minutes of SPY and IBM in lock-step, and what a test has published."""
    with Sandbox(BARS, signals=getattr(request, "param", ())) as served:
        yield served


publishing = pytest.mark.parametrize


def live(strategy: type[bt.Strategy], sandbox: Sandbox, session: str = "one", **options: Any) -> Any:
    """Run a strategy live on the sandbox's two symbols and algorithm 16."""
    source = [AlpacaBars(["SPY", "IBM"], **sandbox.access), AlphaHubSignals([16], tz="UTC", **sandbox.alphahub)]
    how = {"source": source, "venue": AlpacaVenue(**sandbox.access), "live": Live(session=session), **options}
    return run(strategy, **how)


def records(folder: Path, kind: str, session: str = "one") -> list[Any]:
    with JournalReader(folder / f"{session}.sqlite") as journal:
        return list(journal.entries(kind))


class Hearing(bt.Strategy):
    """Notes which signals it sees, and does what `script` says at each; stops at a minute after the open."""

    params = (("script", None), ("until", 100.0))

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.said: list[str] = []

    def next(self) -> None:
        for signal in self.getdatabyname("AlphaHub 16").signals():
            self.seen.append(signal.symbol)
            if self.p.script is not None:
                self.p.script(self, signal)
        if minute(self) >= self.p.until:
            self.env.runstop()

    def notify_store(self, message: str, *_: Any) -> None:
        self.said.append(message)


def minute(strategy: bt.Strategy) -> float:
    """Return how many minutes after the open it is, to the second."""
    return round((bt.num2date(strategy.lines.datetime[0]).replace(tzinfo=UTC) - OPEN).total_seconds()) / 60


def crash(strategy: Hearing, signal: Any) -> None:
    raise ZeroDivisionError


def buy_it(strategy: Hearing, signal: Any) -> None:
    strategy.buy(strategy.getdatabyname(signal.symbol), size=1, name=signal.key)


ONE = [(published(5.5, open=[buy("SPY")]),)]


@publishing("sandbox", ONE, indirect=True)
def test_signal_that_nobody_acted_on_is_told_again_by_the_next_run(sandbox: Sandbox) -> None:
    """The first run dies in the `next` that saw it."""
    with pytest.raises(ZeroDivisionError):
        live(Hearing, sandbox, script=crash)
    assert live(Hearing, sandbox, script=buy_it).strategy.seen == ["SPY"]


@publishing("sandbox", ONE, indirect=True)
def test_signal_that_was_acted_on_is_not_told_again(sandbox: Sandbox, sessions: Path) -> None:
    """That it is done with is in the journal when the venue has answered to the order that it led to."""
    first = live(Hearing, sandbox, script=buy_it, until=7)
    assert live(Hearing, sandbox, script=buy_it).strategy.seen == []
    assert first.strategy.seen == ["SPY"]
    (intent,), (told,) = records(sessions, INTENT), records(sessions, TOLD)
    answered = next(each for each in records(sessions, UPDATE) if each.key == intent.key)
    assert intent.seq < answered.seq < told.seq


@publishing("sandbox", ONE, indirect=True)
def test_order_bears_its_signals_name(sandbox: Sandbox, sessions: Path) -> None:
    """At the venue it is the session's name and the signal's."""
    live(Hearing, sandbox, script=buy_it)
    (intent,), (signals,) = records(sessions, INTENT), records(sessions, SIGNALS, "one")
    assert intent.key.startswith("one--")
    assert signals.body["keys"][0].startswith(intent.key.removeprefix("one--"))


@publishing("sandbox", ONE, indirect=True)
def test_replay_of_a_signal_doubles_nothing(sandbox: Sandbox, sessions: Path) -> None:
    """Kept, it is told again by the next run, whose order of the same name is refused."""

    def keep(strategy: Hearing, signal: Any) -> None:
        buy_it(strategy, signal)
        strategy.getdatabyname("AlphaHub 16").keep(signal)

    live(Hearing, sandbox, script=keep, until=8)
    again = live(Hearing, sandbox, script=buy_it)
    assert again.strategy.seen == ["SPY"]
    assert again.orders["status"].tolist() == ["Rejected"]
    assert len(records(sessions, INTENT)) == 1


@publishing("sandbox", ONE, indirect=True)
def test_kept_signal_is_done_with_when_the_strategy_says_so(sandbox: Sandbox, sessions: Path) -> None:
    """Not before."""
    when: list[int] = []

    class Keeping(Hearing):
        def next(self) -> None:
            super().next()
            if minute(self) == 9:
                when.append(len(records(sessions, TOLD)))
                self.getdatabyname("AlphaHub 16").done(self.kept)

        def keep(self, signal: Any) -> None:
            self.kept = signal
            self.getdatabyname("AlphaHub 16").keep(signal)

    live(Keeping, sandbox, script=Keeping.keep)
    assert (when, len(records(sessions, TOLD))) == ([0], 1)


REVERSAL = [(
    published(3, open=[buy("SPY", weight=0.5)]),
    published(8.5, close=[sell("SPY")], open=[sell("SPY", weight=0.5), buy("IBM", weight=0.5)]),
)]  # fmt: skip


@publishing("sandbox", REVERSAL, indirect=True)
@pytest.mark.parametrize("stop", [8, 8.5, 9, 10, 11, 12])
def test_follower_that_was_stopped_goes_on_where_it_was(sandbox: Sandbox, stop: float) -> None:
    """Before, between and after the close and the opens of a reversal: each signal is traded once."""

    class Stopped(SignalFollower):
        def next(self) -> None:
            super().next()
            if minute(self) >= stop:
                self.env.runstop()

    first = live(Stopped, sandbox, cash=10_000, capital=10_000)
    rest = live(SignalFollower, sandbox, cash=10_000, capital=10_000)
    fills = [*first.fills[["symbol", "side"]].values.tolist(), *rest.fills[["symbol", "side"]].values.tolist()]
    assert sorted(map(tuple, fills)) == [("IBM", "buy"), ("SPY", "buy"), ("SPY", "sell"), ("SPY", "sell")]
    held = dict(zip(rest.positions["symbol"], rest.positions["size"], strict=True))
    assert held["SPY"] < 0 < held["IBM"]


@publishing("sandbox", [(published(4, open=[buy("SPY"), buy("ZZZZ", price=3.0)]),)], indirect=True)
def test_signal_of_a_symbol_that_cannot_be_followed_is_an_alarm(sandbox: Sandbox) -> None:
    """Told at once and counted at the end; the other signals of the message are there."""
    result = live(Hearing, sandbox)
    assert result.strategy.seen == ["SPY", "ZZZZ"]
    assert [each for each in result.strategy.said if each.startswith("ALARM") and "ZZZZ" in each]
    assert [each for each in result.notes if "1 signal to open could not be followed" in each]


THREE = SampleBars(["SPY", "IBM", "QQQ"], DAY, OPEN + timedelta(minutes=40))
NEW = (
    published(4, open=[buy("QQQ")]), published(9.5, close=[sell("QQQ")], open=[sell("QQQ", weight=0.5)]),
    published(20, close=[buy("QQQ")]), published(25, open=[buy("QQQ")]),
)  # fmt: skip


def test_symbol_that_a_signal_names_for_the_first_time_is_traded(sessions: Path) -> None:
    """Its bars are there before the strategy is woken; a backtest over the journal has the same fills."""
    with Sandbox(THREE, signals=NEW) as sandbox:
        lived = live(SignalFollower, sandbox)
    past = AlphaHubSignals([16], tz="UTC", past=sessions / "one.sqlite")
    tested = run(SignalFollower, source=[THREE, past], venue=AlpacaVenue())
    columns = ["symbol", "time", "side", "price", "position"]
    assert lived.fills[columns].values.tolist() == tested.fills[columns].values.tolist()
    assert len(lived.fills) == 5
    assert len(lived.bars["QQQ"]) == 40  # those from before it was added are there too
    assert lived.notes == ()


@pytest.mark.parametrize("stop", [7, 15, 22])
def test_added_symbol_is_there_after_a_restart(stop: float) -> None:
    """Where something of it is held or ordered, before the first bar; else when it is named again."""

    class Stopped(SignalFollower):
        def next(self) -> None:
            super().next()
            if minute(self) >= stop:
                self.env.runstop()

    with Sandbox(THREE, signals=NEW) as sandbox:
        first = live(Stopped, sandbox, capital=10_000)
        rest = live(SignalFollower, sandbox, capital=10_000)
    sides = [*first.fills["side"].tolist(), *rest.fills["side"].tolist()]
    assert sides == ["buy", "sell", "sell", "buy", "buy"]
    assert rest.positions["symbol"].tolist() == ["QQQ"]


def test_history_alone_does_not_go_on_live(sandbox: Sandbox) -> None:
    """Sample signals can be played in a sandbox, and it is said how."""
    bars = AlpacaBars(["SPY", "IBM"], **sandbox.access)
    with pytest.raises(ConfigError, match="with Sandbox"):
        live(Hearing, sandbox, source=[bars, SampleSignals(BARS)])


def test_signal_wakes_the_strategy_at_once() -> None:
    """In real time, between two bars: the order is at the venue before the next one ends."""
    has_bar = threading.Event()

    class Ending(Hearing):
        since_bar: float | None = None

        def next(self) -> None:
            super().next()
            if self.seen and self.since_bar is None:
                self.since_bar = self.lines.datetime[0] - self.data.datetime[0]

        def notify_data(self, data: Any, status: int, *_: Any) -> None:
            if status == data.LIVE:
                has_bar.set()

        def notify_order(self, order: Any) -> None:
            if order.status == order.Accepted:
                self.env.runstop()

    with Sandbox(BARS, speed=60.0) as sandbox:
        running = live(Ending, sandbox, script=buy_it, background=True)
        sandbox.attend("algorithms:16")
        has_bar.wait(20)
        sandbox.publish(16, open=[buy("SPY")])
        result = running.result()
    assert result.strategy.seen == ["SPY"]
    assert result.orders["status"].tolist()[0] in ("Accepted", "Completed")
    assert 0 < result.strategy.since_bar < 59 / 86_400


def test_signal_is_not_traded_on_prices_of_yesterday() -> None:
    """At the open, before the first bar, the last price is that of days ago."""

    class Ending(Hearing):
        def notify_order(self, order: Any) -> None:
            if not order.alive():
                self.env.runstop()

    with Sandbox(BARS, speed=1.0) as sandbox:
        running = live(Ending, sandbox, script=buy_it, background=True)
        sandbox.attend("algorithms:16")
        sandbox.publish(16, open=[buy("SPY")])
        result = running.result()
    assert result.orders["status"].tolist() == ["Rejected"]
    assert "old" in result.orders["reason"].iloc[0]


def test_signal_before_the_first_bar_of_a_session_is_traded(sandbox: Sandbox) -> None:
    """By the prices of the history, which are those of now."""
    sandbox.step(10)
    sandbox.publish(16, open=[buy("IBM")])
    first = live(Hearing, sandbox, script=buy_it, until=13)
    assert first.strategy.seen == []  # it was published before anybody listened
    sandbox.publish(16, open=[buy("SPY")])
    second = live(Hearing, sandbox, script=buy_it)
    assert second.strategy.seen == ["SPY"]
    assert second.orders["status"].tolist() == ["Completed"]
