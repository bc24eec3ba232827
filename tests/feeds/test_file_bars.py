"""`feeds.FileBars`: one's own bars, from files and frames, and what is wrong with them in one line."""

import re
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from feeds import FileBars, SampleBars
from framework.calendar import Hours
from framework.columns import PRICES
from framework.errors import ConfigError
from framework.model import MINUTE, Timeframe
from framework.ports import Source

NAMES = ("end", *PRICES, "volume")
COLUMNS = [*PRICES, "volume"]


def frame(times, tz="America/New_York", **changed):
    """A frame of one symbol, in the columns of most vendors, prices 10, volume 1."""
    stamps = pd.to_datetime(list(times)).tz_localize(tz) if tz else pd.to_datetime(list(times))
    values = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.0, "volume": 1.0}
    return pd.DataFrame({"timestamp": stamps, **values}).assign(**changed)


def minutes(count=3, first="2026-01-05 09:30", **changed):
    return frame(pd.date_range(first, periods=count, freq="min"), **changed)


def long():
    """Two symbols in one frame, IBM with a hole, its rows in order of time."""
    spy, ibm = minutes(4).assign(symbol="SPY"), minutes(4).drop(index=2).assign(symbol="IBM", close=10.5)
    return pd.concat([spy, ibm]).sort_values("timestamp", kind="stable", ignore_index=True)


def ends(bars, symbol="SPY", warmup=0):
    return [str(end)[:16] for end in bars.history(warmup)[symbol].end]


def same(left, right):
    """Say whether two sources have the same bars of the same symbols."""
    these, those = left.history(), right.history()
    return list(these) == list(those) and all(
        (getattr(these[symbol], name) == getattr(those[symbol], name)).all() for symbol in these for name in NAMES
    )


def refused(pattern):
    return pytest.raises(ConfigError, match=pattern)


def test_bars_of_a_frame_carry_their_end():
    """The stamp is the start, as most vendors have it; a minute is added."""
    bars = FileBars(minutes(), "SPY")
    assert isinstance(bars, Source)
    assert (bars.symbols, bars.timeframe, bars.start) == (("SPY",), MINUTE, None)
    assert ends(bars) == ["2026-01-05T14:31", "2026-01-05T14:32", "2026-01-05T14:33"]


def test_a_stamp_of_the_end_is_taken_as_it_is():
    """With `stamp="end"`."""
    assert ends(FileBars(minutes(2, "2026-01-05 09:31"), "SPY", stamp="end")) == [
        "2026-01-05T14:31",
        "2026-01-05T14:32",
    ]


def test_symbols_are_sorted_as_found_or_as_asked():
    """The rows of each are kept in order."""
    assert FileBars(long()).symbols == ("IBM", "SPY")
    assert FileBars(long(), ["SPY", "IBM"]).symbols == ("SPY", "IBM")
    assert FileBars(long(), "IBM").history()["IBM"].close.tolist() == [10.5] * 3


@pytest.mark.parametrize("name", ["bars.parquet", "bars.pq", "bars.csv", "bars.csv.gz", "BARS.CSV"])
def test_a_file_has_the_bars_of_its_frame(tmp_path, name):
    """Whatever format its suffix says, as a path or as text."""
    path = tmp_path / name
    write = long().to_csv if "csv" in name.lower() else long().to_parquet
    write(path, index=False)
    assert same(FileBars(path), FileBars(long()))
    assert same(FileBars(str(path)), FileBars(long()))


@pytest.mark.parametrize(
    "shape",
    [
        lambda it: it.set_index("timestamp"),
        lambda it: it.set_index(["symbol", "timestamp"]),
        lambda it: it.set_index(["timestamp", "symbol"]).rename_axis([None, None]),
        lambda it: it.rename(columns={"symbol": "Ticker", "timestamp": "Date", "open": " Open", "high": "HIGH"}),
        lambda it: it.rename(
            columns={"timestamp": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
        ),
        lambda it: it.astype({"symbol": "category", "volume": "int32", "timestamp": "datetime64[ns, UTC]"}),
        lambda it: it.assign(timestamp=it.timestamp.map(lambda at: at.to_pydatetime()).astype(object)),
        lambda it: it.assign(timestamp=it.timestamp.map(str)),
        lambda it: it.assign(vwap=1.0, trade_count=3),
        lambda it: {name: rows.drop(columns="symbol") for name, rows in it.groupby("symbol")},
        lambda it: {name: rows.set_index("timestamp") for name, rows in it.groupby("symbol")},
        lambda it: {name: rows.set_index("timestamp").rename_axis(None) for name, rows in it.groupby("symbol")},
    ],
)
def test_a_frame_may_have_many_shapes(shape):
    """Index or columns, long or by symbol, any case, first letters, further columns, texts or times."""
    assert same(FileBars(shape(long())), FileBars(long()))


def test_a_dict_may_hold_files(tmp_path):
    """One file for each symbol."""
    minutes().to_csv(tmp_path / "a.csv", index=False)
    assert FileBars({"SPY": tmp_path / "a.csv", "IBM": minutes()}).symbols == ("IBM", "SPY")


def test_what_was_given_is_not_changed_and_may_change_later():
    """Bars are copied out once: neither sees what happens to the other."""
    given, before = long(), long()
    bars = FileBars(given)
    pd.testing.assert_frame_equal(given, before)
    given.loc[:, "close"] = -1.0
    bars.history()["IBM"].close[:] = 99.0
    assert bars.history()["IBM"].close.tolist() == [10.5] * 3


@pytest.mark.parametrize("ticker", ["NA", "TRUE", "0700", "NULL", "1E5"])
def test_a_ticker_that_looks_like_something_else_stays_a_ticker(tmp_path, ticker):
    """NA trades on Nasdaq, and tickers in Hong Kong begin with zeros."""
    minutes().assign(symbol=ticker).to_csv(tmp_path / "bars.csv", index=False)
    assert FileBars(tmp_path / "bars.csv").symbols == (ticker,)


def test_a_file_without_a_volume_has_volumes_of_zero():
    """Indices and currencies have none. A volume that is there must be right."""
    assert FileBars(minutes().drop(columns="volume"), "SPY").history()["SPY"].volume.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("freq", "found"), [("min", "1Min"), ("5min", "5Min"), ("90min", "90Min"), ("h", "1Hour"), ("2h", "2Hour")]
)
def test_the_timeframe_is_the_commonest_and_smallest_step(freq, found):
    """Two sessions with a hole: the steps over the night are multiples."""
    times = [*pd.date_range("2026-01-05 10:00", "2026-01-05 15:00", freq=freq), pd.Timestamp("2026-01-06 10:00")]
    bars = FileBars(frame(times), "SPY", hours="all")
    assert bars.timeframe == Timeframe.parse(found)


@pytest.mark.parametrize(
    ("dates", "found"),
    [
        (["2026-01-02", "2026-01-05", "2026-01-06", "2026-01-07"], "1Day"),
        (["2025-12-29", "2026-01-05", "2026-01-12"], "1Week"),
        (["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"], "1Month"),
    ],
)
def test_dates_are_days_weeks_or_months(dates, found):
    """No zone is needed for a date; and none is lost in summer time."""
    assert FileBars(frame(dates, tz=None), "SPY").timeframe == Timeframe.parse(found)
    assert FileBars(frame(dates), "SPY").timeframe == Timeframe.parse(found)


@pytest.mark.parametrize(
    "times",
    [["2026-01-05 09:30"], ["2026-01-05 09:30", "2026-01-05 10:00", "2026-01-05 11:00", "2026-01-05 12:00"],
     ["2026-01-05 09:30:00", "2026-01-05 09:30:30"]],
)  # fmt: skip
def test_a_timeframe_that_cannot_be_inferred_is_asked_for(times):
    """One bar, uneven steps, steps of less than a minute."""
    with refused(r"the frame: the steps between times \(.*\) do not say how long a bar is; try timeframe=\"1Min\""):
        FileBars(frame(times), "SPY")


@pytest.mark.parametrize(
    ("times", "tz"),
    [
        (["2025-11-26", "2025-11-28"], None),
        (["2025-11-26", "2025-11-28"], "UTC"),
        (["2025-11-26", "2025-11-28"], "America/New_York"),
        (["2025-11-26 09:30", "2025-11-28 09:30"], "America/New_York"),
    ],
)
@pytest.mark.parametrize("stamp", ["start", "end"])
def test_a_daily_bar_ends_at_the_close_of_its_day(times, tz, stamp):
    """21:00 UTC, and 18:00 on the half day: a date, a midnight in UTC or New York, or the open."""
    if stamp == "end":
        times = [each.replace("09:30", "00:00") for each in times]
    assert ends(FileBars(frame(times, tz), "SPY", timeframe="1Day", stamp=stamp)) == [
        "2025-11-26T21:00",
        "2025-11-28T18:00",
    ]


def test_a_daily_bar_stamped_with_its_close_ends_there():
    """`stamp="end"` and a time of day: the file knows best."""
    bars = FileBars(frame(["2025-11-28 13:00"]), "SPY", timeframe="1Day", stamp="end")
    assert ends(bars) == ["2025-11-28T18:00"]


@pytest.mark.parametrize(
    ("label", "stamp", "timeframe", "end"),
    [
        ("2025-11-24", "start", "1Week", "2025-11-28T18:00"),
        ("2025-11-23", "start", "1Week", "2025-11-28T18:00"),
        ("2025-11-28", "end", "1Week", "2025-11-28T18:00"),
        ("2025-11-30", "end", "1Week", "2025-11-28T18:00"),
        ("2026-05-01", "start", "1Month", "2026-05-29T20:00"),
        ("2026-05-31", "end", "1Month", "2026-05-29T20:00"),
        ("2025-11-25", "start", "2Day", "2025-11-26T21:00"),
        ("2026-01-03", "start", "1Day", "2026-01-04T05:00"),
    ],
)
def test_a_longer_bar_ends_with_its_last_session(label, stamp, timeframe, end):
    """Monday or Sunday weeks, months, two days; a day that is no session ends at its midnight."""
    assert ends(FileBars(frame([label], tz=None), "SPY", timeframe=timeframe, stamp=stamp)) == [end]


def test_an_hour_that_the_close_cuts_short_ends_at_the_close():
    """Hours from 09:30 on: the last, from 15:30, is known at 16:00."""
    bars = FileBars(frame(pd.date_range("2026-01-05 09:30", "2026-01-05 15:30", freq="h")), "SPY")
    assert ends(bars)[-2:] == ["2026-01-05T20:30", "2026-01-05T21:00"]
    assert bars.calendar.hours is Hours.REGULAR


def test_an_hour_that_runs_on_after_the_close_does_not():
    """Where the file has post-market bars, the hour from 15:30 holds trades of 16:29."""
    times = pd.date_range("2026-01-05 09:30", "2026-01-05 17:30", freq="h")
    assert "2026-01-05T21:30" in ends(FileBars(frame(times), "SPY"))
    assert ends(FileBars(frame(times), "SPY", hours="regular"))[-1] == "2026-01-05T20:30"


@pytest.mark.parametrize(
    ("first", "hours"),
    [("2026-01-05 15:58", Hours.REGULAR), ("2026-01-05 15:59", Hours.EXTENDED), ("2026-01-05 04:00", Hours.EXTENDED),
     ("2026-01-05 03:59", Hours.ALL), ("2026-01-03 12:00", Hours.ALL)],
)  # fmt: skip
def test_hours_are_read_off_the_bars_and_drop_none(first, hours):
    """The narrowest that hold all of them; the closing auction's minute, from 16:00, is after hours."""
    bars = FileBars(minutes(2, first), "SPY")
    assert bars.calendar.hours is hours
    assert len(ends(bars)) == 2


@pytest.mark.parametrize(("hours", "count"), [("regular", 2), (Hours.EXTENDED, 4), ("all", 5)])
def test_hours_asked_for_keep_their_bars_only(hours, count):
    """One at 03:00, one pre-market, two regular, one post-market."""
    times = [f"2026-01-05 {at}" for at in ("03:00", "09:29", "09:30", "15:59", "16:00")]
    bars = FileBars(frame(times), "SPY", timeframe="1Min", hours=hours)
    assert len(ends(bars)) == count
    assert bars.calendar.hours is Hours(hours)


def test_start_and_end_are_days_of_the_exchange_and_warm_up_is_before():
    """The end day is taken in whole; warm-up comes from the file, as far as it goes."""
    dates = pd.bdate_range("2026-01-05", "2026-01-16").strftime("%Y-%m-%d")
    bars = FileBars(frame(dates, tz=None), "SPY", start="2026-01-08", end=date(2026, 1, 9))
    assert ends(bars) == ["2026-01-08T21:00", "2026-01-09T21:00"]
    assert ends(bars, warmup=1)[0] == "2026-01-07T21:00"
    assert ends(bars, warmup=timedelta(days=2))[0] == "2026-01-06T21:00"
    assert ends(bars, warmup=99)[0] == "2026-01-05T21:00"


def test_times_without_a_zone_are_those_of_tz():
    """`tz` says whose clock it was."""
    assert ends(FileBars(minutes(2, tz=None), "SPY", tz="America/New_York"))[0] == "2026-01-05T14:31"
    assert ends(FileBars(minutes(2, tz=None), "SPY", tz="UTC"))[0] == "2026-01-05T09:31"


def test_texts_with_the_offsets_of_winter_and_summer_are_one_column(tmp_path):
    """-05:00 and -04:00, as a CSV of a quarter has them."""
    rows = ["2026-03-06T15:59:00-05:00", "2026-03-09T09:30:00-04:00"]
    minutes(2).assign(timestamp=rows).to_csv(tmp_path / "a.csv", index=False)
    assert ends(FileBars(tmp_path / "a.csv", "SPY", timeframe="1Min")) == ["2026-03-06T21:00", "2026-03-09T13:31"]


def test_sample_bars_come_back_from_a_file_as_they_went(tmp_path):
    """Written with their ends, read with `stamp="end"`: bit for bit."""
    sample = SampleBars(["SPY", "MSFT"], "2026-01-05", "2026-01-06")
    columns = {each: {name: getattr(bars, name) for name in NAMES} for each, bars in sample.history().items()}
    table = pd.concat([pd.DataFrame(each).assign(symbol=name) for name, each in columns.items()])
    table.rename(columns={"end": "timestamp"}).to_parquet(tmp_path / "a.parquet", index=False)
    assert same(FileBars(tmp_path / "a.parquet", ["SPY", "MSFT"], stamp="end", tz="UTC"), sample)


@pytest.mark.parametrize(
    ("given", "asked", "pattern"),
    [
        (long(), {"symbols": "IMB"}, r"symbol IMB is not in the frame \(did you mean IBM\?\); it has IBM, SPY"),
        (minutes(), {}, r'the frame has no symbol column, so it needs one name, not none; try symbols="SPY"'),
        (minutes(), {"symbols": ["A", "B"]}, "needs one name, not 2 of them"),
        (
            minutes().rename(columns={"close": "clsoe"}),
            {},
            r"SPY: no close column \(did you mean clsoe\?\); it has timestamp",
        ),
        (
            minutes().drop(columns="timestamp"),
            {},
            "SPY: no time column; it has open, high, low, close, volume: name one",
        ),
        (minutes().assign(Close=1.0), {}, "SPY: columns close, Close are both the close; keep one"),
        (
            minutes().rename(columns={"timestamp": "date"}).assign(time="09:30"),
            {},
            "date and time are two columns; join",
        ),
        (minutes(close="12,5"), {}, "SPY: close '12,5' in row 1 of 3 is not a number"),
        (minutes(volume=float("nan")), {}, "has volume nan"),
        (minutes(low=-1.0), {}, r"the frame: SPY: bar 1 of 3 \(ends 2026-01-05 14:31 UTC\) has low -1.0"),
        (minutes(high=8.0), {}, "has high 8.0 below low 9.0"),
        (minutes().iloc[::-1], {}, "comes after a bar that ends at .*; sort the bars by time"),
        (pd.concat([minutes(), minutes().tail(1)]), {}, "is there twice"),
        (minutes(tz=None), {}, r'SPY: time 2026-01-05 09:30:00 has no zone; try tz="America/New_York" or tz="UTC"'),
        (
            minutes(tz=None),
            {"tz": "America/New_Yrok"},
            r"tz '.*' is not a time zone \(did you mean America/New_York\?\)",
        ),
        (
            minutes(first="2026-03-08 02:29", tz=None),
            {"tz": "America/New_York"},
            "comes twice or never in America/New_York",
        ),
        (minutes(timestamp=[1, 2, 3]), {}, r"times are numbers \(1\), which may be seconds or milliseconds"),
        (minutes(timestamp="05/01/2026 09:30"), {}, "time '05/01/2026 09:30' in row 1 of 3 is not an ISO 8601 time"),
        (
            minutes(timestamp=["2026-01-05T09:30Z", "2026-01-05T09:31Z", "2026-01-05T09:32"]),
            {},
            "row 3 of 3 has no zone, but",
        ),
        (minutes(timestamp=pd.DatetimeIndex(["2026-01-05", None, None], tz="UTC")), {}, "row 2 of 3 is no time"),
        (minutes().head(0), {"timeframe": "1Min"}, "SPY: no bars were found at all"),
        (long().head(0), {}, "the frame has no rows"),
        (long().assign(symbol=["SPY", None, *["SPY"] * 5]), {}, "row 2 of 7 has no symbol"),
        (
            minutes(),
            {"start": "2027-01-01"},
            r"SPY: no bars from .* to the end; there are 3 bars, from 2026-01-05 14:31 UTC",
        ),
        (minutes(), {"start": "2026-01-06", "end": "2026-01-05"}, "is not before end"),
        (minutes(), {"start": datetime(2026, 1, 5)}, "has a time of day but no zone"),  # noqa: DTZ001
        (minutes(), {"stamp": "begin"}, "stamp is 'begin'; try 'start' or 'end'"),
        (minutes(), {"hours": "regulra"}, r"hours is 'regulra' \(did you mean regular\?\)"),
        (minutes(first="2026-01-03 10:00"), {"hours": "regular"}, 'no bar is inside of regular hours; try hours="all"'),
        (minutes(), {"timeframe": "1Mn"}, "timeframe '1Mn' is not understood"),
        (pd.concat({"SPY": minutes()}, axis=1), {}, "has two rows of column names; try a dict of frames"),
        ([1, 2], {}, "bars are a list; try a path, a pandas DataFrame, or a dict"),
        ({}, {"symbols": None}, "the dict has no rows"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(given, asked, pattern):
    """Which frame, which symbol, which row, what was found, what to try."""
    settings = asked if "symbol" in getattr(given, "columns", ()) else {"symbols": "SPY", **asked}
    if pattern.startswith("the frame has no symbol"):
        settings = asked
    with refused(pattern) as caught:
        FileBars(given, **settings).history()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("bras.csv", r"no file .*bras.csv \(did you mean bars.csv\?\); its folder has bars.csv, cut.csv.gz, empty.csv"),
        ("none/bars.csv", "there is no folder .*none; check the path"),
        (".", "is a folder; try a file in it: bars.csv"),
        ("notes.txt", r"notes.txt has a suffix that is not read; try .csv, .csv.gz, .parquet, .pq"),
        ("empty.csv", "empty.csv cannot be read as CSV: No columns"),
        ("wrong.parquet", "wrong.parquet cannot be read as Parquet"),
        ("cut.csv.gz", "cut.csv.gz cannot be read as CSV"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_it_was_looked_for(tmp_path, name, pattern):
    """With the whole path, and what is beside it."""
    minutes().to_csv(tmp_path / "bars.csv", index=False)
    minutes(200).to_csv(tmp_path / "cut.csv.gz", index=False)
    (tmp_path / "cut.csv.gz").write_bytes((tmp_path / "cut.csv.gz").read_bytes()[:300])
    for each, text in (("empty.csv", ""), ("notes.txt", "x"), ("wrong.parquet", "not parquet")):
        (tmp_path / each).write_text(text)
    with refused(pattern) as caught:
        FileBars(tmp_path / name, "SPY")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named_by_its_absolute_path(tmp_path, monkeypatch):
    """However it was asked for."""
    monkeypatch.chdir(tmp_path)
    with refused(f"no file {re.escape(str(tmp_path / 'bars.csv'))}"):
        FileBars("bars.csv")


def test_real_minutes_are_read_with_their_holes_and_hours(real_bars_path):
    """SPY, IBM and BAC of three days in 2013, extended hours, stamped with their starts."""
    bars = FileBars(real_bars_path)
    assert (bars.symbols, bars.timeframe, bars.calendar.hours) == (("BAC", "IBM", "SPY"), MINUTE, Hours.EXTENDED)
    history = bars.history()
    assert {symbol: len(each) for symbol, each in history.items()} == {"BAC": 1709, "IBM": 1300, "SPY": 2469}
    assert sum(map(len, history.values())) == len(pd.read_parquet(real_bars_path))


def test_real_minutes_of_the_session_are_three_whole_days(real_bars_path):
    """All three traded in each of 390 minutes on each day."""
    history = FileBars(real_bars_path, hours="regular").history()
    assert [len(each) for each in history.values()] == [1170] * 3
    assert str(history["SPY"].end[-1])[:16] == "2013-10-09T20:00"


def test_real_minutes_may_begin_in_the_middle_with_a_warm_up(real_bars_path):
    """21 bars of each symbol before the second day, however thin it is."""
    bars = FileBars(real_bars_path, ["IBM", "SPY"], start="2013-10-08", end="2013-10-08")
    for symbol, warmed in bars.history(21).items():
        assert (warmed.end[:21] <= np.datetime64("2013-10-08T04:00")).all()
        assert (warmed.end[21:] == bars.history()[symbol].end).all()
