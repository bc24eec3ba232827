"""What requests for market data ask, and how they are refused."""

from datetime import UTC, datetime, timedelta

import pytest

from feeds.alpaca.plans import FREE, PAID
from feeds.alpaca.queries import Refused, read_latest, read_range, read_timeframe
from framework.model import Timeframe, Unit

NOW = datetime(2026, 7, 6, 15, 0, tzinfo=UTC)
GOOD = {"symbols": "SPY", "timeframe": "1Min", "feed": "iex"}


def bars(crypto=False, plan=FREE, **parameters):
    return read_range(parameters, "bars", NOW, plan, crypto=crypto)


@pytest.mark.parametrize(
    ("text", "timeframe"),
    [
        ("59Min", Timeframe(59, Unit.MINUTE)),
        ("T", Timeframe(1, Unit.MINUTE)),
        ("23H", Timeframe(23, Unit.HOUR)),
        ("1Day", Timeframe(1, Unit.DAY)),
        ("1W", Timeframe(1, Unit.WEEK)),
        ("3M", Timeframe(3, Unit.MONTH)),
    ],
)
def test_timeframe_has_alpacas_spellings(text, timeframe):
    """M is a month here, T a minute."""
    assert read_timeframe(text) == timeframe


@pytest.mark.parametrize("text", ["banana", "60Min", "24Hour", "2Day", "5Month", "30Sec", "0Min", "1min"])
def test_timeframe_that_alpaca_does_not_make_is_refused(text):
    """The answer names it."""
    with pytest.raises(Refused, match=f"invalid timeframe: {text}"):
        read_timeframe(text)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"symbols": ""}, "Invalid format for parameter symbols: query parameter 'symbols' is required"),
        ({"symbols": "spy"}, "invalid symbol: spy"),
        ({"symbols": "BTC/USD"}, "invalid symbol: BTC/USD"),
        ({"start": "not-a-date"}, "error parsing 'not-a-date' as RFC3339 or 2006-01-02 time"),
        ({"start": "2026-07-06T10:00:00"}, "Invalid format for parameter start"),
        ({"start": "2026-07-07", "end": "2026-07-06T00:00:00Z"}, "end should not be before start"),
        ({"limit": "10001"}, "invalid limit: 10001"),
        ({"limit": "0"}, "invalid limit: 0"),
        ({"limit": "ten"}, "invalid limit: ten"),
        ({"sort": "up"}, "invalid sort: up"),
        ({"feed": "nasdaq"}, "invalid feed: nasdaq"),
        ({"adjustment": "splits"}, "invalid adjustment: splits"),
        ({"adjustment": ""}, "invalid adjustment: "),
        ({"adjustment": "split,split"}, "invalid adjustment: split,split"),
        ({"asof": "yesterday"}, "Invalid format for parameter asof"),
        ({"currency": "EUR"}, "invalid currency: EUR"),
        ({"page_token": "x"}, "invalid page token"),
        ({"page": "2"}, "unexpected parameter\\(s\\): page"),
    ],
)
def test_wrong_parameter_is_refused(wrong, message):
    """Each with status 400 and a body that has a message alone."""
    with pytest.raises(Refused, match=message) as refused:
        bars(**GOOD | wrong)
    assert refused.value.status == 400
    assert refused.value.body == {"message": str(refused.value)}


def test_parameters_of_bars_are_not_those_of_others():
    """Quotes have no timeframe, latest has no range, crypto no feed."""
    with pytest.raises(Refused, match="timeframe"):
        read_range(GOOD, "quotes", NOW, FREE, crypto=False)
    with pytest.raises(Refused, match="limit, start"):
        read_latest({"symbols": "SPY", "start": "2026-07-06", "limit": "1"}, NOW, FREE, crypto=False)
    with pytest.raises(Refused, match="feed"):
        bars(crypto=True, **GOOD)


def test_pair_that_is_none_is_refused_in_cryptos_words():
    """Crypto tells the pattern that a symbol has to match."""
    with pytest.raises(Refused, match=r"Invalid symbol\(s\): BTCUSD does not match"):
        bars(crypto=True, symbols="BTCUSD", timeframe="1Min")


def test_good_parameters_are_all_taken():
    """Symbols are sorted and told once; words of an adjustment may be combined."""
    query = bars(**GOOD | {"symbols": "SPY,IBM,SPY", "adjustment": "split,dividend", "asof": "-", "currency": "USD"})
    assert (query.symbols, query.limit, query.currency) == (("IBM", "SPY"), 1000, "USD")
    assert bars(**GOOD, asof="2026-07-01", limit="10000", sort="desc").is_descending


def test_days_are_new_yorks_for_stocks_and_utcs_for_crypto():
    """A day's end is its last microsecond; without a start it is today's midnight."""
    stocks = bars(**GOOD, start="2026-07-02", end="2026-07-02")
    assert (stocks.start, stocks.end - stocks.start) == (
        datetime(2026, 7, 2, 4, tzinfo=UTC),
        timedelta(days=1, microseconds=-1),
    )
    crypto = bars(crypto=True, symbols="BTC/USD", timeframe="1Min", start="2026-07-02")
    assert (crypto.start, crypto.end) == (datetime(2026, 7, 2, tzinfo=UTC), NOW)
    assert bars(**GOOD).start == datetime(2026, 7, 6, 4, tzinfo=UTC)


def test_instant_may_have_any_zone_and_nine_digits():
    """RFC 3339 in full; what is finer than a microsecond is cut off."""
    query = bars(**GOOD, start="2026-07-06T10:00:00.123456789-04:00")
    assert query.start == datetime(2026, 7, 6, 14, 0, 0, 123456, tzinfo=UTC)


def test_feed_that_is_late_is_known_later():
    """Delayed data, and all exchanges in the free plan, end 15 minutes ago."""
    ago = NOW - timedelta(minutes=15)
    assert bars(**GOOD | {"feed": "delayed_sip"}).known_at == ago
    assert bars(**GOOD | {"feed": "sip"}).end == ago
    assert bars(plan=PAID, **GOOD | {"feed": "sip"}).end == NOW
    assert bars(symbols="SPY", timeframe="1Min").feed == "sip"
