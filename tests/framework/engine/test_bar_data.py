"""Columns in Backtrader's lines: what a feed preloads is what it would load row by row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import backtrader as bt
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tape import OPEN, bars

from feeds import SampleBars
from framework.engine.calendar import TradingCalendar
from framework.engine.data import BarData
from framework.engine.dates import date2num

MINUTES = {"timeframe": bt.TimeFrame.Minutes}


@given(st.lists(st.datetimes(datetime(1437, 1, 1), datetime(2870, 1, 1)), max_size=50))  # noqa: DTZ001 (naive UTC)
def test_date_numbers_are_backtraders_bit_for_bit(moments: list[datetime]) -> None:
    """A whole column at once gives what `bt.date2num` gives for each time, to the last bit."""
    numbers = date2num(np.array(moments, dtype="datetime64[us]"))
    assert numbers.tolist() == [bt.date2num(each) for each in moments]


class Rows(bt.Strategy):
    def __init__(self) -> None:
        self.rows: list[tuple[float, ...]] = []

    def next(self) -> None:
        self.rows.append(tuple(line[0] for line in self.data.lines))


def played(data: BarData, cerebro: type[bt.Cerebro] = bt.Cerebro, **keywords: Any) -> list[tuple[float, ...]]:
    engine = cerebro(stdstats=False, **keywords)
    engine.adddata(data)
    engine.addstrategy(Rows)
    return engine.run()[0].rows


def test_a_preloaded_feed_equals_one_loaded_row_by_row() -> None:
    """In stock Cerebro, with and without preloading, the lines are the same."""
    columns = SampleBars(["ACME"], "2026-01-05", "2026-01-06").history()["ACME"]
    at_once = played(BarData(dataname=columns, **MINUTES))
    by_row = played(BarData(dataname=columns, **MINUTES), preload=False, runonce=False)
    assert at_once == by_row
    assert len(at_once) == len(columns)


def test_a_date_range_is_kept_to() -> None:
    """`fromdate` and `todate` work as on any Backtrader feed, only slower."""
    rows = played(BarData(dataname=bars(range(1, 11)), todate=datetime(2026, 1, 5, 14, 33), **MINUTES))  # noqa: DTZ001
    assert [row[0] for row in rows] == [1, 2, 3]


def test_a_feed_may_look_ahead_as_stock_allows() -> None:
    """`lookahead` leaves room behind the last bar, as it does for other feeds."""
    data = BarData(dataname=bars([1, 2, 3]), **MINUTES)
    assert len(played(data, lookahead=2)) == 3
    assert len(data.close.array) == 5


def test_a_feed_resamples_in_stock_cerebro() -> None:
    """`resampledata` on a feed of columns gives five-minute bars."""
    cerebro = bt.Cerebro(stdstats=False)
    data = BarData(dataname=bars(range(1, 11)), **MINUTES)
    cerebro.resampledata(data, timeframe=bt.TimeFrame.Minutes, compression=5)
    cerebro.addstrategy(Rows)
    (strategy,) = cerebro.run()
    assert [row[0] for row in strategy.rows] == [5, 10]


@settings(max_examples=50)
@given(st.datetimes(datetime(2020, 1, 1), datetime(2026, 12, 1)))  # noqa: DTZ001
def test_a_calendar_names_the_session_that_a_moment_is_in_or_before(moment: datetime) -> None:
    """The close is never before the moment, and no session lies between."""
    calendar = TradingCalendar(name="XNYS")
    opens, closes = calendar.schedule(moment)
    assert opens < closes >= moment
    before = calendar.schedule(opens - timedelta(days=12))
    assert before[1] < closes


def test_an_early_close_is_the_end_of_its_session() -> None:
    """The day after Thanksgiving closes at 13:00 in New York, and the next trading day is a Monday."""
    calendar = TradingCalendar(name="XNYS")
    morning = datetime(2026, 11, 27, 15, 0)  # noqa: DTZ001
    assert calendar.schedule(morning)[1].replace(tzinfo=UTC) == datetime(2026, 11, 27, 18, 0, tzinfo=UTC)
    assert calendar.nextday(morning) == datetime(2026, 11, 30).date()  # noqa: DTZ001
    assert calendar.last_weekday(morning)
    assert OPEN.date() < calendar.nextday(OPEN.date())
