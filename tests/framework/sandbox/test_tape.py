"""What the sandbox plays."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tape import OPEN
from tape import Tape as Source

from feeds import SampleBars
from framework.errors import ConfigError
from framework.model import Bar, Quote, Timeframe, Unit
from framework.sandbox.tape import Detail, Instant, Tape, made_quote, made_trades

MINUTE = timedelta(minutes=1)


def played(tape: Tape) -> list[Instant]:
    found, at = [], tape.starts_at
    while (instant := tape.after(at)) is not None:
        found.append(instant)
        at = instant.at
    return found


def test_each_end_of_a_bar_is_an_instant_with_the_bars_of_all_symbols() -> None:
    """Two symbols, one with a hole: three instants, and the close of the session."""
    tape = Tape(Source({"A": (1.0, None, 3.0), "B": (10.0, 11.0, 12.0)}))
    assert [[bar.symbol for bar in each.bars] for each in played(tape)] == [["A", "B"], ["B"], ["A", "B"], []]
    assert [each.closes for each in played(tape)] == [False, False, False, True]


def test_the_clock_starts_when_the_first_bar_begins() -> None:
    """Before it there is nothing to know."""
    assert Tape(Source({"A": (1.0, 2.0)})).starts_at == OPEN


def test_history_before_the_start_is_known_and_not_played() -> None:
    """A source's start cuts the tape: what is before it answers requests."""
    tape = Tape(Source({"A": (1.0, 2.0, 3.0, 4.0)}, start=OPEN + 2 * MINUTE))
    assert [bar.close for each in played(tape) for bar in each.bars] == [3.0, 4.0]
    assert tape.known("A", tape.starts_at).close.tolist() == [1.0, 2.0]


def test_further_instants_are_played() -> None:
    """With nothing in them; a tape that has others is another tape, one from before its start is not played."""
    source = Source({"A": (1.0, 2.0)})
    tape = Tape(source, also=[OPEN + 1.5 * MINUTE, OPEN - MINUTE])
    assert [each.at - OPEN for each in played(tape)][:3] == [MINUTE, 1.5 * MINUTE, 2 * MINUTE]
    assert played(tape)[1] == Instant(OPEN + 1.5 * MINUTE)
    assert tape.fingerprint() != Tape(source).fingerprint()


def test_a_path_plays_open_extremes_and_close() -> None:
    """Four instants a bar; the bar itself comes with the last; the stretches join up."""
    tape = Tape(Source({"A": ((10.0, 12.0, 9.0, 11.0),)}), detail=Detail.PATH)
    *legs, _ = played(tape)
    assert [(each.ranges[0].open, each.ranges[0].close) for each in legs] == [(10, 10), (10, 9), (9, 12), (12, 11)]
    assert max(each.ranges[0].high for each in legs) == 12.0
    assert min(each.ranges[0].low for each in legs) == 9.0
    assert [len(each.bars) for each in legs] == [0, 0, 0, 1]
    assert [each.at - OPEN for each in legs] == [timedelta(microseconds=1), MINUTE / 3, MINUTE * 2 / 3, MINUTE]


@pytest.mark.parametrize("detail", list(Detail))
def test_the_first_range_of_a_session_opens_it(detail: Detail) -> None:
    """Each symbol's own first bar of each day, or the first point of its path."""
    tape = Tape(SampleBars(["SPY"], "2026-10-05", "2026-10-06"), detail=detail)
    assert sum(bool(each.opens) for each in played(tape)) == 2


def test_recorded_quotes_are_played_when_they_were_made() -> None:
    """A quote between two bars is an instant; the bars' own quotes are made where none was recorded."""
    at = OPEN + timedelta(seconds=90)
    quote = Quote("A", at, 0.99, 5, 1.01, 6)
    tape = Tape(Source({"A": (1.0, 1.0)}), quotes=[quote])
    assert [each.quotes for each in played(tape) if each.at == at] == [(quote,)]
    assert tape.quotes("A", OPEN, OPEN + 5 * MINUTE) == [quote]


def test_quotes_and_trades_of_a_span_are_made_from_its_bars() -> None:
    """One quote at each bar's end, four trades in each bar."""
    tape = Tape(Source({"A": (1.0, 2.0, 3.0)}))
    assert [each.at - OPEN for each in tape.quotes("A", OPEN + MINUTE, OPEN + 2 * MINUTE)] == [MINUTE, 2 * MINUTE]
    trades = tape.trades("A", OPEN + MINUTE, OPEN + 2 * MINUTE - timedelta(microseconds=1))
    assert [each.price for each in trades] == [2.0] * 4


cents = st.integers(100, 100_000).map(lambda each: each / 100)


@given(cents, st.floats(0, 0.05))
def test_a_made_quote_lies_around_its_price_on_the_tick(price: float, spread: float) -> None:
    """Bid at or below, ask at or above, both in whole cents."""
    quote = made_quote("A", OPEN, price, spread)
    assert quote.bid <= price <= quote.ask
    assert all(abs(each * 100 - round(each * 100)) < 1e-6 for each in (quote.bid, quote.ask))


@given(st.lists(cents, min_size=4, max_size=4), st.integers(0, 10**6))
def test_made_trades_make_the_bar_again(four: list[float], volume: int) -> None:
    """Open, extremes, close and volume of the trades are the bar's, and all lie inside its minute."""
    low, open_, close, high = sorted(four)
    trades = made_trades(Bar("A", OPEN + MINUTE, open_, high, low, close, volume), MINUTE)
    prices = [each.price for each in trades]
    assert (prices[0], max(prices), min(prices), prices[-1]) == (open_, high, low, close)
    assert sum(each.size for each in trades) == volume
    assert all(OPEN <= each.at < OPEN + MINUTE for each in trades)


def test_another_tape_has_another_fingerprint() -> None:
    """One price makes the difference; the same bars have the same."""
    first, again, other = (Tape(Source({"A": prices})) for prices in ((1.0, 2.0), (1.0, 2.0), (1.0, 2.5)))
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()


def test_what_cannot_be_played_is_said_at_once() -> None:
    """No bars after the start; a path inside day bars."""
    with pytest.raises(ConfigError, match="nothing to play"):
        Tape(Source({"A": (1.0,)}, start=OPEN + MINUTE))
    with pytest.raises(ConfigError, match="bars of minutes or hours"):
        Tape(Source({"A": (1.0,)}, timeframe=Timeframe(1, Unit.DAY)), detail=Detail.PATH)


def test_instants_are_in_order_and_without_doubles() -> None:
    """Whatever they come from."""
    tape = Tape(SampleBars(["SPY", "IBM"], "2026-10-05", "2026-10-05"), detail=Detail.PATH)
    assert (np.diff(tape.instants).astype(int) > 0).all()


def test_several_sources_are_one_tape() -> None:
    """Shares in their session and a pair around the clock, of one length of bar."""
    shares, pairs = Source({"A": (1.0, 2.0)}), Source({"B/C": (3.0, 4.0)}, opens=OPEN - MINUTE, calendar="24/7")
    tape = Tape([shares, pairs])
    assert (tape.symbols, tape.calendar.name, tape.starts_at) == (("A", "B/C"), "XNYS", OPEN - MINUTE)
    with pytest.raises(ConfigError, match="bars of 1Min and of 1Day"):
        Tape([shares, Source({"D": (1.0,)}, timeframe=Timeframe(1, Unit.DAY))])
