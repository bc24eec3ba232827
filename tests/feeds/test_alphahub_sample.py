"""Sample signals: what is published in a sandbox, and what a backtest is told, are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from signal_steps import played

from feeds import AlphaHubSignals, SampleBars, SampleSignals
from feeds.alphahub.history import held_after
from framework.app.sandbox import Sandbox
from framework.errors import ConfigError
from framework.model import Signal, SignalAction, Signals
from framework.ports import LiveSignalSource, SignalSource

BARS = SampleBars(["SPY", "IBM"], "2026-10-05", "2026-10-09", timeframe="30Min")
SAMPLE = SampleSignals(BARS)


def contents(batches: Sequence[Signals]) -> list[tuple[Signal, ...]]:
    """Return signals as they are but for when they came."""
    never = datetime(1, 1, 1, tzinfo=UTC)
    return [tuple(replace(signal, at=never) for signal in each.signals) for each in batches]


def opened(source: SampleSignals) -> list[list[Signal]]:
    return [[each for each in batch.signals if each.action is SignalAction.OPEN] for batch in source.history()]


def test_it_is_a_source_of_signals_without_a_live_side() -> None:
    """Named as AlphaHub is, so that a strategy finds the same feed in a backtest and live."""
    assert isinstance(SAMPLE, SignalSource)
    assert not isinstance(SAMPLE, LiveSignalSource)
    assert (SAMPLE.publisher, SAMPLE.algorithms) == ("AlphaHub", ("16",))
    assert repr(SAMPLE) == "SampleSignals(SPY, IBM; algorithm 16; seed 0)"


def test_each_trading_day_at_half_past_ten_in_new_york() -> None:
    """And a second; holidays and weekends have none, and summer time ends for it too."""
    bars = SampleBars(["SPY"], "2026-10-30", "2026-11-02", timeframe="30Min")
    times = [each.at.isoformat() for each in SampleSignals(bars).history()]
    assert times == ["2026-10-30T14:30:01+00:00", "2026-11-02T15:30:01+00:00"]


def test_each_day_closes_what_the_day_before_opened() -> None:
    """All of it, against its side, before anything else; the first day closes nothing."""
    held: dict = {}
    for batch in SAMPLE.history():
        closes = [each for each in batch.signals if each.action is SignalAction.CLOSE]
        assert batch.signals[: len(closes)] == tuple(closes)
        assert {each.symbol: each.side.sign for each in closes} == {name: -side.sign for name, side in held.items()}
        held = held_after(batch.signals)
        assert 1 <= len(held) <= 2
    assert held


def test_weights_are_shares_of_the_capital_and_prices_those_of_the_bars() -> None:
    """The last close by then."""
    ends = BARS.history()
    for batch in SAMPLE.history():
        assert sum(each.weight for each in batch.signals if each.action is SignalAction.OPEN) <= 1
        for each in batch.signals:
            last = ends[each.symbol].between(None, batch.at)
            assert each.price == float(last.close[-1])


def test_day_does_not_depend_on_the_range() -> None:
    """What is opened is the same on every machine, for a seed, an algorithm and the symbols; another seed differs."""
    opened = {each.at: [s for s in each.signals if s.action is SignalAction.OPEN] for each in SAMPLE.history()}
    later = SampleSignals(SampleBars(["SPY", "IBM"], "2026-10-07", "2026-10-09", timeframe="30Min"))
    assert [each.at for each in later.history()] == list(opened)[2:]
    assert all(
        opened[each.at] == [s for s in each.signals if s.action is SignalAction.OPEN] for each in later.history()
    )
    assert contents(SampleSignals(BARS, seed=1).history()) != contents(SAMPLE.history())
    first = [(each.symbol, each.side.value, each.weight, each.price) for each in SAMPLE.history()[0].signals]
    assert first == [("SPY", "buy", 0.6, 90.37), ("IBM", "sell", 0.4, 126.6)]


def test_history_is_between_two_instants() -> None:
    """After the one, until the other."""
    whole = SAMPLE.history()
    assert SAMPLE.history(after=whole[1].at, until=whole[3].at) == whole[2:4]


def test_what_a_sandbox_publishes_and_a_session_hears_is_the_history() -> None:
    """The very same values, keys and times of receipt among them: in lock-step, through both lines."""
    steps, heard = played([BARS], SAMPLE.publications(), count=65 + 5)
    assert all(heard)
    assert len(steps.batches) == 5
    assert tuple(steps.batches) == SAMPLE.history()


def test_what_a_sandbox_has_in_its_history_is_the_same_but_for_the_receipt() -> None:
    """Read from REST, which does not say what opens and what closes, and has no weights."""
    with Sandbox(BARS, signals=SAMPLE.publications()) as sandbox:
        sandbox.step(70)
        source = AlphaHubSignals([16], tz="UTC", **sandbox.alphahub)
        told = source.history(after=BARS.start)
    ours = [
        [replace(each, weight=0.0, at=each.at + timedelta(seconds=1)) for each in b.signals] for b in SAMPLE.history()
    ]
    assert [[replace(each, weight=0.0, extra={}) for each in batch.signals] for batch in told] == ours


def test_what_it_is_made_for_are_bars() -> None:
    """A symbol alone has no days and no prices."""
    with pytest.raises(ConfigError, match="SampleBars"):
        SampleSignals("SPY")  # type: ignore[arg-type]
