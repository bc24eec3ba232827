"""Quotes made of bars, and those of a file: what a backtest of a trading function goes by."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tape import OPEN, Tape

from feeds import BarQuotes, FileQuotes, SampleBars
from feeds.quotes import sides
from framework.columns import moment
from framework.errors import ConfigError
from framework.model import Timeframe, Unit
from framework.ports import QuoteSource
from framework.quoting import looked_at
from framework.sandbox.tape import made_quote

BAR = (100.0, 104.0, 99.0, 101.0)

QUOTES = pd.DataFrame(
    {
        "timestamp": ["2026-01-05T14:30:01Z", "2026-01-05T14:30:02Z", "2026-01-05T14:30:07.5Z"],
        "symbol": ["SPY", "IBM", "SPY"],
        "bid_price": [100.0, 50.0, 101.0],
        "ask_price": [100.1, 50.1, 0.0],
    }
)


@given(st.floats(0.01, 5_000), st.floats(0, 0.01))
def test_the_sides_are_those_of_the_sandbox(price: float, spread: float) -> None:
    """What a backtest makes of a price, the sandbox makes of it too."""
    bid, ask = sides(np.array([price]), spread)
    made = made_quote("A", OPEN, price, spread)
    assert (bid[0], ask[0]) == (made.bid, made.ask)


def test_a_bar_is_quoted_along_its_path() -> None:
    """Open, nearer extreme, other extreme, close: from just after its beginning to its end."""
    quotes = BarQuotes(Tape({"SPY": [BAR]}), spread=0).quoted()["SPY"]
    assert quotes.bid.tolist() == quotes.ask.tolist() == [100.0, 99.0, 104.0, 101.0]
    times = [(moment(each) - OPEN).total_seconds() for each in quotes.at]
    assert times == [0.000001, 20.0, 40.0, 60.0]


def test_a_look_shows_what_stands_and_how_old_it_is() -> None:
    """And the range since the last one: an order that was sent then meets it."""
    source = BarQuotes(Tape({"SPY": [BAR]}), every=30, spread=0)
    columns = looked_at(source.quoted(), source.beats)["SPY"]
    assert columns.bid.tolist() == [99.0, 101.0]
    assert columns.ask_open.tolist() == [100.0, 104.0]
    assert (columns.ask_low.tolist(), columns.bid_high.tolist()) == ([99.0, 101.0], [100.0, 104.0])
    assert columns.ages().tolist() == [10.0, 0.0]
    assert isinstance(source, QuoteSource)
    assert source.history()["SPY"].close.tolist() == [99.0, 101.0]


def test_what_no_quotes_can_be_made_of_is_one_clear_line() -> None:
    """A day has no path that anybody knows the times of."""
    with pytest.raises(ConfigError, match="quotes cannot be made of bars of 1Day; give minutes"):
        BarQuotes(SampleBars("SPY", "2026-10-05", "2026-10-06", timeframe=Timeframe(1, Unit.DAY)))
    with pytest.raises(ConfigError, match="spread=1 is not a fraction of the price"):
        BarQuotes(SampleBars("SPY", "2026-10-05", "2026-10-06"), spread=1)


def test_a_file_of_quotes_is_read_as_bars_are(tmp_path: Path) -> None:
    """Under alpaca-py's names too; a quote that lacks a side is left out."""
    QUOTES.to_csv(tmp_path / "quotes.csv", index=False)
    for given_ in (QUOTES, tmp_path / "quotes.csv"):
        source = FileQuotes(given_, every=2)
        assert source.symbols == ("IBM", "SPY")
        assert source.quoted()["SPY"].ask.tolist() == [100.1]
        assert source.quoted()["IBM"].bid.tolist() == [50.0]
        assert source.timeframe == Timeframe(2, Unit.SECOND)


def test_a_range_of_a_file_is_kept() -> None:
    """After the start, up to the end."""
    source = FileQuotes(QUOTES, "IBM", start=OPEN, end=OPEN + timedelta(seconds=2))
    assert source.quoted()["IBM"].bid.tolist() == [50.0]
    with pytest.raises(ConfigError, match="IBM: none of its 1 rows is a quote with both sides in these days"):
        FileQuotes(QUOTES, "IBM", start=OPEN + timedelta(seconds=2))


@pytest.mark.parametrize(
    ("frame", "line"),
    [
        (QUOTES.drop(columns="ask_price"), "no ask column"),
        (QUOTES.assign(bid_price="dear"), "bid 'dear' in row 1 of 1 is not a number"),
        (QUOTES.assign(timestamp=["2026-01-05 14:30"] * 3), "time 2026-01-05 14:30:00 has no zone"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_clear_line(frame: pd.DataFrame, line: str) -> None:
    """With the file, the symbol, what was found, what to try."""
    with pytest.raises(ConfigError, match=line):
        FileQuotes(frame)
