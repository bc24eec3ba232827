"""A user's own PandasData and GenericCSVData, preloaded by columns."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import backtrader as bt
import cases
import pandas as pd
import pytest
import strategies_zoo as zoo
from fingerprint import differences

from framework.engine import Cerebro, feed

MINUTES = bt.TimeFrame.Minutes


def _frame() -> Any:
    columns = cases.bars()
    names = ("open", "high", "low", "close", "volume")
    return pd.DataFrame({name: getattr(columns, name) for name in names}, index=pd.DatetimeIndex(columns.end))


def _pandas(change: Callable[[Any], Any] = lambda frame: frame, **options: Any) -> cases.Setting:
    data = {"timeframe": MINUTES, "name": "one", **options}
    return lambda cerebro: cerebro.adddata(bt.feeds.PandasData(dataname=change(_frame()), **data))


def _text(layout: str = "%Y-%m-%d %H:%M:%S") -> str:
    frame = _frame()
    rows = zip(frame.index.strftime(layout), *(frame[name] for name in frame.columns), strict=True)
    return "time,open,high,low,close,volume,interest\n" + "".join(",".join(map(str, row)) + ",\n" for row in rows)


def _csv(text: str, **options: Any) -> cases.Setting:
    data = {"timeframe": MINUTES, "name": "one", **options}
    return lambda cerebro: cerebro.adddata(bt.feeds.GenericCSVData(dataname=io.StringIO(text), **data))


PLAIN: dict[str, cases.Setting] = {
    "pandas": _pandas(),
    "pandas with a zone": _pandas(lambda frame: frame.tz_localize("America/New_York")),
    "pandas with integers": _pandas(lambda frame: frame.astype({"volume": "int64"})),
    "pandas with a time column": _pandas(lambda frame: frame.reset_index(names="when"), datetime="when"),
    "pandas with a gap": _pandas(lambda frame: frame.mask(frame.volume > 880)),
    "csv": _csv(_text()),
    "csv of days": _csv(_text(), timeframe=bt.TimeFrame.Days),
    "csv in another layout": _csv(_text("%d.%m.%Y %H%M%S"), dtformat="%d.%m.%Y %H%M%S", openinterest=-1),
}
ODD: dict[str, cases.Setting] = {
    "pandas with a first date": _pandas(fromdate=pd.Timestamp("2024-03-02").to_pydatetime()),
    "pandas with words": _pandas(lambda frame: frame.astype({"volume": object})),
    "csv with widths that differ": _csv(_text().replace("2024-03-02", "2024-3-2")),
    "csv with rubbish": _csv(_text() + "rubbish\n"),
    "csv with a filter": _csv(_text(), filters=[bt.filters.DaySplitter_Close]),
}


@pytest.mark.parametrize("name", [*PLAIN, *ODD])
def test_users_own_feed_gives_what_stock_gives(name: str) -> None:
    """The same lines, orders and results; the same error, too."""
    shape = {**PLAIN, **ODD}[name]
    stock, ours, _ = cases.both(zoo.SmaCross, shape)
    assert stock == ours if isinstance(stock, str) else differences(stock, ours) == []


@pytest.mark.parametrize("name", PLAIN)
def test_plain_feed_is_loaded_by_columns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a single bar of it is loaded one by one."""
    monkeypatch.setattr(bt.feed.AbstractDataBase, "load", lambda data: pytest.fail("loaded a bar"))
    found, cerebro = cases.played(Cerebro, zoo.SmaCross, PLAIN[name])
    assert not isinstance(found, str)
    assert len(cerebro.datas[0]) == cases.BARS


@pytest.mark.parametrize("stamp", ["2024-02-30 10:00", "2024-13-01 10:00", "2024-01-01 24:00", "2024-01-01T10:00", "x"])
def test_time_that_is_none_is_left_to_strptime(stamp: str) -> None:
    """Times are read by columns only where each is one."""
    assert feed.parsed_times(["2024-01-01 10:00", stamp], "%Y-%m-%d %H:%M") is None
