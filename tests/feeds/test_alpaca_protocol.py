"""Alpaca's dialect without a socket: what is asked, how answers are read, what errors mean."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from feeds.alpaca.protocol import (
    BarsQuery,
    bars_exchange,
    check_adjustment,
    check_feed,
    check_timeframe,
    columns,
    ends,
    is_crypto,
)
from framework.calendar import Calendar, Hours
from framework.config import Credentials
from framework.errors import (
    AuthenticationError,
    ConfigError,
    ConnectionLost,
    ProtocolError,
    RateLimited,
    Unsupported,
)
from framework.model import Timeframe
from framework.wire import HttpResponse

NYSE, ALWAYS = Calendar("XNYS"), Calendar("24/7")
MINUTE, DAY = Timeframe.parse("1Min"), Timeframe.parse("1Day")
LOGIN = Credentials("PK123", "s3cr3t")


def query(*symbols: str, **other) -> BarsQuery:
    defaults = {
        "timeframe": MINUTE,
        "calendar": NYSE,
        "after": datetime(2026, 1, 5, 5, tzinfo=UTC),
        "until": datetime(2026, 1, 6, 5, tzinfo=UTC),
        "crypto": False,
        "credentials": LOGIN,
    }
    return BarsQuery(symbols=symbols or ("AAPL",), **(defaults | other))


def row(stamp: str, price: float = 10.0, **other) -> dict:
    return {"t": stamp, "o": price, "h": price, "l": price, "c": price, "v": 5, "n": 1, "vw": price} | other


def answer(body, status: int = 200, **headers) -> HttpResponse:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def page(bars, token=None) -> HttpResponse:
    return answer({"bars": bars, "next_page_token": token})


def play(asked: BarsQuery, *answers: HttpResponse):
    """Drive the exchange with canned answers; return its result and the requests it made."""
    exchange = bars_exchange(asked)
    requests = [next(exchange)]
    for each in answers[:-1]:
        requests.append(exchange.send(each))
    with pytest.raises(StopIteration) as end:
        exchange.send(answers[-1])
    return end.value.value, requests


def stamps(bars) -> list[str]:
    """The bars' ends, in UTC, to the minute."""
    return [str(end.astype("datetime64[m]")) for end in bars.end]


def fails(response: HttpResponse, asked: BarsQuery | None = None) -> None:
    exchange = bars_exchange(asked or query())
    next(exchange)
    exchange.send(response)


def test_request_says_everything():
    """Feed, adjustment, order and limit are never left to the server's defaults; keys are headers."""
    request = query("AAPL", "IBM", asof="2026-01-02").request(None)
    assert (request.method, request.url) == ("GET", "https://data.alpaca.markets/v2/stocks/bars")
    assert dict(request.params) == {
        "symbols": "AAPL,IBM",
        "timeframe": "1Min",
        "start": "2026-01-05T04:59:00Z",  # the bar that ends a minute later is cut off again
        "end": "2026-01-06T04:59:00Z",
        "limit": "10000",
        "sort": "asc",
        "feed": "iex",
        "adjustment": "split",
        "asof": "2026-01-02",
    }
    assert request.headers == {"APCA-API-KEY-ID": "PK123", "APCA-API-SECRET-KEY": "s3cr3t"}


def test_crypto_request_has_its_own_path_and_needs_no_keys():
    """No feed, no adjustment, and no empty headers."""
    request = query("BTC/USD", crypto=True, calendar=ALWAYS, credentials=None).request(None)
    assert request.url == "https://data.alpaca.markets/v1beta3/crypto/us/bars"
    assert not {"feed", "adjustment", "asof"} & set(request.params)
    assert not request.headers


def test_secret_is_in_no_repr():
    """A query, its request and the keys can be logged."""
    assert "s3cr3t" not in f"{query()!r} {query().request(None)!r}"


def test_bars_are_stamped_with_their_end():
    """Alpaca's `t` is the start: the minute is added."""
    found, _ = play(query(), page({"AAPL": [row("2026-01-05T14:30:00Z", 10.0, h=12, l=9, c=11, v=7)]}))
    bars = found.bars["AAPL"]
    assert stamps(bars) == ["2026-01-05T14:31"]
    assert [bars.open[0], bars.high[0], bars.low[0], bars.close[0], bars.volume[0]] == [10, 12, 9, 11, 7]


def test_pages_go_on_until_the_token_is_null():
    """A short page, and one without bars, end nothing; bars come by symbol, then by time."""
    found, requests = play(
        query("AAPL", "IBM"),
        page({"AAPL": [row("2026-01-05T14:30:00Z")]}, "a"),
        page(None, "b"),
        page({}, "c"),
        page({"AAPL": [row("2026-01-05T14:33:00Z")], "IBM": [row("2026-01-05T14:30:00Z")]}, "d"),
        page({"IBM": [row("2026-01-05T14:31:00Z")]}),
    )
    assert [request.params.get("page_token") for request in requests] == [None, "a", "b", "c", "d"]
    assert [len(found.bars[symbol]) for symbol in ("AAPL", "IBM")] == [2, 2]
    assert found.pages == 5


def test_missing_minutes_are_not_invented():
    """A minute without a trade has no bar."""
    found, _ = play(query(), page({"AAPL": [row("2026-01-05T14:30:00Z"), row("2026-01-05T14:35:00Z")]}))
    assert np.diff(found.bars["AAPL"].end).tolist() == [np.timedelta64(5, "m")]


def test_symbol_without_bars_is_there_and_empty():
    """Every symbol asked for has its columns."""
    found, _ = play(query("AAPL", "IBM"), page({"AAPL": [row("2026-01-05T14:30:00Z")], "IBM": None}))
    assert len(found.bars["IBM"]) == 0


def test_bars_outside_of_the_range_are_cut_off():
    """The bar that ends just when the range begins is not in it; the one that ends with it is."""
    rows = [row("2026-01-05T04:59:00Z"), row("2026-01-05T05:00:00Z"), row("2026-01-06T04:59:00Z")]
    found, _ = play(query(), page({"AAPL": rows}))
    assert stamps(found.bars["AAPL"]) == ["2026-01-05T05:01", "2026-01-06T05:00"]


@pytest.mark.parametrize(
    "stamp", ["2026-01-05T09:30:00-05:00", "2026-01-05T14:30:00.000Z", "2026-01-05T14:30:00+00:00"]
)
def test_other_ways_to_write_an_instant_are_read(stamp):
    """Offsets and fractions are RFC 3339 too."""
    bars = columns("AAPL", [row(stamp)], MINUTE, NYSE, crypto=False)
    assert stamps(bars) == ["2026-01-05T14:31"]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-01-05T05:00", "2026-01-05T21:00"),
        ("2026-07-06T04:00", "2026-07-06T20:00"),
        ("2025-11-28T05:00", "2025-11-28T18:00"),  # closes at 13:00
        ("2026-01-03T05:00", "2026-01-04T05:00"),  # no session: the midnight that ends it
    ],
)
def test_day_bar_ends_when_the_session_closes(start, end):
    """In winter, in summer, and on an early close."""
    found = ends(np.array([start], "datetime64[us]"), DAY, NYSE, crypto=False)
    assert found[0] == np.datetime64(end)


@pytest.mark.parametrize(
    ("start", "end"),
    [("2026-01-05T06:00", "2026-01-06T06:00"), ("2026-03-08T06:00", "2026-03-09T05:00")],
)
def test_crypto_day_bar_ends_when_the_central_day_does(start, end):
    """Alpaca's crypto days begin at midnight in Chicago; one in March has 23 hours."""
    found = ends(np.array([start], "datetime64[us]"), DAY, ALWAYS, crypto=True)
    assert found[0] == np.datetime64(end)


@pytest.mark.parametrize(
    "response",
    [
        answer(b"<html>hello</html>"),
        answer(b""),
        answer([1]),
        answer({"message": "ok"}),
        answer({"bars": [], "next_page_token": None}),
        answer({"bars": {"AAPL": {}}, "next_page_token": None}),
        answer({"bars": {"AAPL": 5}, "next_page_token": None}),
        answer({"bars": {}, "next_page_token": 7}),
        page({"MSFT": [row("2026-01-05T14:30:00Z")]}),
        page({"AAPL": [{"t": "2026-01-05T14:30:00Z"}]}),
        page({"AAPL": [7]}),
        page({"AAPL": [row("yesterday")]}),
        page({"AAPL": [row("2026-01-05T14:30:00")]}),
        page({"AAPL": [row("2026-01-05T14:30:00Z", price="dear")]}),
        page({"AAPL": [row("2026-01-05T14:30:00Z", price=None)]}),
        page({"AAPL": [row("2026-01-05T14:30:00Z", h=1.0)]}),
        page({"AAPL": [row("2026-01-05T14:31:00Z"), row("2026-01-05T14:30:00Z")]}),
        page({"AAPL": [row("2026-01-05T14:30:00Z"), row("2026-01-05T14:30:00Z")]}),
    ],
)
def test_odd_answers_are_a_protocol_error(response):
    """Whatever is not bars by symbol is said to be so, in one line."""
    with pytest.raises(ProtocolError, match=r"^Alpaca: ") as raised:
        fails(response)
    assert "\n" not in str(raised.value)


def test_token_that_goes_round_in_circles_ends():
    """A server that points back to an earlier page is not followed for ever."""
    exchange = bars_exchange(query())
    next(exchange)
    exchange.send(page({}, "a"))
    with pytest.raises(ProtocolError, match="page 2 points back"):
        exchange.send(page({}, "a"))


@pytest.mark.parametrize(
    ("response", "kind", "says"),
    [
        (answer({"message": "unauthorized."}, 401), AuthenticationError, "check APCA_API_KEY_ID and APCA_API_SECRET"),
        (answer({"message": "forbidden."}, 403), AuthenticationError, r"HTTP 403 \"forbidden\.\""),
        (
            answer({"message": "subscription does not permit querying recent SIP data"}, 403),
            AuthenticationError,
            'use feed="iex", or end 15 minutes ago',
        ),
        (answer({"code": 40010001, "message": "invalid asof"}, 400), ConfigError, "invalid asof"),
        (answer({"message": "invalid symbol: ?"}, 422), ConfigError, "invalid symbol"),
        (answer({"message": "endpoint not found"}, 404), ConfigError, "check base_url"),
        (answer(b"<html>Bad Gateway</html>", 502), ConnectionLost, r"^Alpaca: HTTP 502, after several attempts"),
        (answer(b"", 503), ConnectionLost, "HTTP 503"),
        (answer(b"", 302, location="https://elsewhere"), ProtocolError, "HTTP 302 was not expected"),
        (answer({"message": ["a"]}, 418), ProtocolError, "HTTP 418"),
    ],
)
def test_each_status_has_its_error(response, kind, says):
    """Alpaca's own message, and what to try."""
    with pytest.raises(kind, match=says):
        fails(response)


def test_rate_limit_carries_its_seconds():
    """What is told in `retry-after` is on the error."""
    with pytest.raises(RateLimited, match="try again in 42 s") as raised:
        fails(answer({"message": "too many requests."}, 429, retry_after="42"))
    assert raised.value.retry_after == 42


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500, 418])
def test_message_that_quotes_the_keys_is_masked(status):
    """Not even a server that repeats the secret gets it into an error."""
    with pytest.raises((ConfigError, ConnectionLost, AuthenticationError, RateLimited, ProtocolError)) as raised:
        fails(answer({"message": "key PK123 with s3cr3t is wrong"}, status))
    assert "s3cr3t" not in str(raised.value)
    assert "PK123" not in str(raised.value)
    assert "*** with ***" in str(raised.value)


@pytest.mark.parametrize("symbol", ["AAPL", "BRK.B", "GOOG", "BF-B"])
def test_stocks_are_told_from_crypto(symbol):
    """A slash makes a pair."""
    assert not is_crypto([symbol])
    assert is_crypto(["BTC/USD", "ETH/USD"])


@pytest.mark.parametrize(
    ("symbols", "says"),
    [
        (["AAPL", "BTC/USD"], r"mix crypto \(BTC/USD\) and stocks \(AAPL\)"),
        (["aapl"], r"did you mean AAPL\?"),
        (["btc/usd"], r"did you mean BTC/USD\?"),
        (["../../etc"], "is not one of Alpaca's"),
        ([".."], "is not one of Alpaca's"),
    ],
)
def test_symbols_that_cannot_be_are_refused(symbols, says):
    """Before anything is asked, and before a folder has that name."""
    with pytest.raises(ConfigError, match=says):
        is_crypto(symbols)


@pytest.mark.parametrize("text", ["1Min", "5Min", "15Min", "30Min", "1Day"])
def test_timeframes_that_keep_to_the_session(text):
    """What divides the half hour begins with the session, at 09:30."""
    check_timeframe(Timeframe.parse(text), crypto=False, hours=Hours.REGULAR)


@pytest.mark.parametrize(
    ("text", "crypto", "hours", "says"),
    [
        ("1Hour", False, Hours.REGULAR, r'mix the session .* timeframe="1Min" and resample=\("1Hour",\)'),
        ("7Min", False, Hours.EXTENDED, "mix the session"),
        ("1Week", False, Hours.REGULAR, 'timeframe="1Day"'),
        ("1Month", True, Hours.REGULAR, 'timeframe="1Day"'),
        ("60Min", True, Hours.REGULAR, "the longest is 59Min"),
        ("2Day", False, Hours.REGULAR, "the longest is 1Day"),
        ("1Day", False, Hours.EXTENDED, "day bars have no hours"),
    ],
)
def test_timeframes_that_alpaca_does_not_make(text, crypto, hours, says):
    """One sentence says why, and what to ask for instead."""
    with pytest.raises(Unsupported, match=says):
        check_timeframe(Timeframe.parse(text), crypto=crypto, hours=hours)


def test_other_timeframes_are_taken():
    """Extended hours begin on the hour, crypto anywhere."""
    check_timeframe(Timeframe.parse("1Hour"), crypto=False, hours=Hours.EXTENDED)
    check_timeframe(Timeframe.parse("7Min"), crypto=True, hours=Hours.REGULAR)


@pytest.mark.parametrize(
    ("feed", "kind", "says"),
    [("iexx", ConfigError, r"did you mean iex\?"), ("overnight", Unsupported, "trades at night")],
)
def test_feeds_that_cannot_be_are_refused(feed, kind, says):
    """A misspelt feed, and those whose hours no session has."""
    with pytest.raises(kind, match=says):
        check_feed(feed, ["SPY"])


def test_adjustments_have_one_spelling():
    """The same adjustment is the same series in the cache, however it was written."""
    assert check_adjustment("split, dividend") == check_adjustment("dividend,split") == "dividend,split"


@pytest.mark.parametrize(
    ("adjustment", "says"),
    [
        ("splits", r"did you mean split\?"),
        ("raw,split", "one thing twice"),
        ("split,split", "twice"),
        ("", "not known"),
    ],
)
def test_adjustments_that_cannot_be_are_refused(adjustment, says):
    """A misspelt one, and one that contradicts itself."""
    with pytest.raises(ConfigError, match=says):
        check_adjustment(adjustment)
