"""`feeds.SampleBars`: synthetic minutes that anyone gets the same, on the real exchange calendar."""

import hashlib
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds import SampleBars
from feeds.checks import check_columns
from feeds.synthetic import levels
from framework.columns import PRICES, joined
from framework.errors import ConfigError
from framework.model import MINUTE, Timeframe
from framework.ports import Source

NAMES = ("end", *PRICES, "volume")


def one(symbol="SPY", start="2026-01-05", end="2026-01-09", warmup=0, **settings):
    return SampleBars([symbol], start, end, **settings).history(warmup)[symbol]


def fingerprint(bars):
    """Return a hash of every bit of the bars, whatever the machine's byte order."""
    raw = [getattr(bars, name).astype("<i8" if name == "end" else "<f8").tobytes() for name in NAMES]
    return hashlib.sha256(b"".join(raw)).hexdigest()[:16]


def texts(bars):
    return [str(end)[:16] for end in bars.end]


def same(left, right):
    return fingerprint(left) == fingerprint(right)


@pytest.mark.parametrize(
    ("symbol", "seed", "golden"),
    [("SPY", 0, "2942857f0750f997"), ("TSLA", 0, "334d71e0208faf79"), ("SPY", 7, "2c36a5a47e8bd093")],
)
def test_the_same_seed_gives_the_same_bits_on_every_machine(symbol, seed, golden):
    """The week of a half day, pinned: a changed recipe must change `VERSION`, and this."""
    assert fingerprint(one(symbol, "2025-11-24", "2025-11-28", seed=seed)) == golden


def test_a_day_has_the_same_bars_whatever_range_is_asked_for():
    """Cut out of a year, or asked for alone."""
    year, week = one(start="2025-06-01", end="2026-05-31"), one()
    whole = year.between(datetime(2026, 1, 5, 5, tzinfo=UTC), datetime(2026, 1, 10, 5, tzinfo=UTC))
    assert same(whole, week)


def test_symbols_do_not_depend_on_one_another():
    """A symbol's bars are the same alone and in company."""
    assert same(SampleBars(["IBM", "SPY"], "2026-01-05", "2026-01-09").history()["SPY"], one())


@pytest.mark.parametrize("changed", [{"seed": 1}, {"symbol": "IBM"}, {"start": "2026-01-12", "end": "2026-01-16"}])
def test_another_seed_symbol_or_week_gives_other_bars(changed):
    """Each is part of the key."""
    assert one(**changed).close.tolist() != one().close.tolist()


def test_it_is_a_source():
    """The port, with the symbols in the order in which they were asked for."""
    source = SampleBars(["SPY", "IBM"])
    assert isinstance(source, Source)
    assert (source.symbols, source.timeframe, source.calendar.name) == (("SPY", "IBM"), MINUTE, "XNYS")
    assert list(source.history()) == ["SPY", "IBM"]


def test_nothing_need_be_said():
    """The defaults are a quarter of SPY, summer time beginning in it; the repr says so."""
    source = SampleBars()
    assert repr(source) == "SampleBars(SPY; 1Min; 2026-01-05 05:00 UTC to 2026-04-01 04:00 UTC; seed 0)"
    assert len(source.history()["SPY"]) > 20_000


def test_a_session_begins_at_the_open_and_ends_at_the_close():
    """Bars carry their end: the 09:30 minute ends at 09:31, and a short day's last at 13:00."""
    day = texts(one(start="2025-11-28", end="2025-11-28"))
    assert (day[0], day[-1]) == ("2025-11-28T14:31", "2025-11-28T18:00")


def test_the_open_follows_summer_time():
    """09:31 in New York is 14:31 UTC on the 6th of March 2026 and 13:31 UTC on the 9th."""
    opens = [text for text in texts(one(start="2026-03-06", end="2026-03-09")) if text.endswith("31")]
    assert {"2026-03-06T14:31", "2026-03-09T13:31"} <= set(opens)


def test_holidays_and_weekends_have_no_bars():
    """Independence Day 2025 was a Friday."""
    days = {text[:10] for text in texts(one(start="2025-07-03", end="2025-07-07"))}
    assert days == {"2025-07-03", "2025-07-07"}


@settings(max_examples=30, deadline=None)
@given(
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ./", min_size=1, max_size=8),
    st.integers(),
    st.dates(date(1990, 1, 5), date(2026, 12, 1)),
)
def test_any_symbol_seed_and_week_has_good_bars(symbol, seed, day):
    """Low to high holds open and close, prices are whole cents within reason, volumes whole shares."""
    bars = check_columns(symbol, one(symbol, day, day + timedelta(days=6), seed=seed))
    for name in PRICES:
        prices = getattr(bars, name)
        assert (np.rint(prices * 100) / 100 == prices).all()
        assert prices.min() > 2
        assert prices.max() < 2500
    assert (bars.volume >= 1).all()
    assert (bars.volume == np.floor(bars.volume)).all()


def test_prices_move_by_about_one_and_a_half_per_cent_a_day():
    """Over two years of SPY, IBM and AAPL: the standard deviation of returns from close to close."""
    closes = [one(symbol, "2010-01-01", "2011-12-31", timeframe="1Day").close for symbol in ("SPY", "IBM", "AAPL")]
    deviation = np.mean([np.diff(np.log(each)).std() for each in closes])
    assert 0.012 < deviation < 0.018


def test_prices_stay_in_reach_of_where_they_began():
    """From 1990 on, pulled back slowly: no sample stock goes to zero or to the moon."""
    opens = [levels(seed, "SPY", days=14_000).opens for seed in range(10)]
    assert max(each.max() / each.min() for each in opens) < 20


def test_a_night_has_a_gap():
    """The first open is not the last close of the day before, most of the time."""
    bars = one(end="2026-03-31")
    begins = np.flatnonzero(np.diff(bars.end) > np.timedelta64(10, "h")) + 1
    gaps = bars.open[begins] / bars.close[begins - 1] - 1
    assert np.abs(gaps).mean() > 0.002


def test_volume_is_a_u():
    """More at the open and the close than at noon."""
    bars = one(end="2026-03-31")
    minute = (bars.end - bars.end.astype("datetime64[D]")) // np.timedelta64(1, "m")
    opening, noon = (bars.volume[(minute > low) & (minute <= low + 20)].mean() for low in (870, 1050))
    assert opening > 2 * noon


def test_some_symbols_are_thinner_than_others():
    """SPY has every minute; MSFT's character, with seed 0, is to miss some, but no first and last one."""
    whole, thin = one("SPY"), one("MSFT")
    assert len(whole) == 5 * 390
    assert len(thin) < 0.9 * len(whole)
    assert {"2026-01-05T14:31", "2026-01-05T21:00"} <= set(texts(thin))


@pytest.mark.parametrize("symbol", ["SPY", "MSFT"])
@pytest.mark.parametrize("count", [1, 21, 1000])
def test_warm_up_is_so_many_bars_of_each_symbol(symbol, count):
    """As many for a thin symbol; they are those just before the start, holidays between."""
    warmed = one(symbol, warmup=count)
    assert same(warmed[count:], one(symbol))
    earlier = one(symbol, start="2025-12-01", end="2026-01-04")
    assert same(warmed[:count], earlier[len(earlier) - count :])


def test_warm_up_may_be_a_span():
    """Three days before Monday begin on Friday."""
    warmed = one(warmup=timedelta(days=3))
    assert same(warmed, joined([one(start="2026-01-02", end="2026-01-02"), one()]))


def test_warm_up_begins_in_the_middle_of_a_day_where_the_run_does():
    """What of the first day is before the start is warm-up, too."""
    noon = datetime(2026, 1, 5, 17, tzinfo=UTC)
    assert texts(one(start=noon, warmup=2))[:3] == ["2026-01-05T16:59", "2026-01-05T17:00", "2026-01-05T17:01"]


def test_warm_up_ends_where_the_calendar_begins():
    """There are no bars before 1990 to be had, and that is no error."""
    assert same(one(start="1990-01-02", end="1990-01-03", warmup=50), one(start="1990-01-02", end="1990-01-03"))


@pytest.mark.parametrize("timeframe", ["5Min", "1Hour", "1Day", "2Day", "1Week", "1Month"])
def test_longer_bars_are_made_of_whole_minutes(timeframe):
    """A bar in the middle of a range is the same as one at its start, and warm-up counts longer bars."""
    long, short = (one(start=start, end="2026-03-31", timeframe=timeframe) for start in ("2025-10-01", "2026-01-14"))
    assert same(long[len(long) - len(short) :], short)
    assert same(
        one(start="2026-01-14", end="2026-03-31", timeframe=timeframe, warmup=2), long[len(long) - len(short) - 2 :]
    )
    assert SampleBars(timeframe=timeframe).timeframe == Timeframe.parse(timeframe)


def test_a_bar_that_is_not_over_at_the_end_is_left_out():
    """A week that ends on a Wednesday has no bar yet."""
    assert texts(one(end="2026-01-14", timeframe="1Week")) == ["2026-01-09T21:00"]


def test_what_never_closes_trades_at_weekends():
    """The 24/7 calendar has every minute of the day, in UTC."""
    bars = one("BTC/USD", "2026-01-03", "2026-01-03", calendar="24/7")
    assert (texts(bars)[0], texts(bars)[-1]) == ("2026-01-03T00:01", "2026-01-04T00:00")


@pytest.mark.parametrize(
    ("asked", "pattern"),
    [
        ({"symbols": "spy"}, "symbol 'spy' is not in upper case; try 'SPY'"),
        ({"symbols": []}, "no symbols were given"),
        ({"start": "2026-01-10", "end": "2026-01-11"}, r"XNYS has no session from .*; the next is on 2026-01-12"),
        ({"start": "2026-02-01", "end": "2026-01-01"}, "is not before end"),
        ({"start": datetime(2026, 1, 5)}, "start .* no zone; try"),  # noqa: DTZ001
        ({"start": "1980-01-01"}, "start is 1980-01-01; sample bars need a day from 1990-01-02 to"),
        ({"end": "2999-01-01"}, "end is 2999-01-01; sample bars need a day from"),
        ({"start": None}, "start is None; sample bars need a day"),
        ({"timeframe": "30s"}, "timeframe '30s' is not understood"),
        ({"calendar": "XNYC"}, "did you mean XNYS"),
    ],
)
def test_what_cannot_be_is_refused_at_once(asked, pattern):
    """Before any bar is made, in one line that says what to try."""
    with pytest.raises(ConfigError, match=pattern):
        SampleBars(**asked)


@pytest.mark.parametrize("warmup", [-1, timedelta(days=-1), 1.5, True, "21"])
def test_a_warm_up_that_is_none_is_refused(warmup):
    """Negative, or neither a number of bars nor a span."""
    with pytest.raises(ConfigError, match="warmup is"):
        SampleBars().history(warmup)


def test_a_range_without_a_bar_says_where_the_bars_are():
    """Two days hold no week; the weeks around them are shown."""
    with pytest.raises(ConfigError, match=r"SPY: no bars from .*; there are 4 bars, from 2025-12-26 21:00 UTC to"):
        one(end="2026-01-06", timeframe="1Week")
