"""ALGOGENE's quotes and the minutes that are made of them: brokers never mixed, no old price, no stale one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from algogene_talk import API_KEY, SECRETS, USER, driven, session
from hypothesis import given
from hypothesis import strategies as st

from feeds.algogene.minutes import MinuteBuilder, Stale
from feeds.algogene.quotes import BrokerQuote, Ping, Quotes, Said, read_frame, realtime_price
from feeds.algogene.stream import SILENCE, PriceStream, Strange
from framework.config import Credentials
from framework.errors import AuthenticationError, ProtocolError
from framework.live.stream import TimedProtocol
from framework.model import Bar, Quote

AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
AGE = timedelta(seconds=90)


def frame(seconds: float = 0.0, price: float = 100.0, broker: str = "IG", **more: Any) -> dict[str, Any]:
    """Return a data frame as it was observed."""
    at = AT + timedelta(seconds=seconds)
    sides = {"bidPrice": price, "askPrice": price, "bidSize": 1.5, "askSize": 2, "bidOrderBook": [], "askOrderBook": []}
    return {"timestamp": f"{at:%Y-%m-%d %H:%M:%S.%f}", "symbol": "BTCUSD", "broker": broker, **sides, **more}


def quoted(*arguments: Any, **more: Any) -> BrokerQuote:
    found = read_frame(json.dumps(frame(*arguments, **more)))
    assert isinstance(found, BrokerQuote)
    return found


def seconds(count: float) -> datetime:
    return AT + timedelta(seconds=count)


def test_a_frame_without_an_id_is_a_quote() -> None:
    """In UTC, though it does not say so, with the broker whose it is."""
    found = quoted(1.25, 99.5, "OANDA")
    assert found == BrokerQuote("OANDA", Quote("BTCUSD", seconds(1.25), 99.5, 1.5, 99.5, 2.0))


def test_a_ping_is_known_by_its_words() -> None:
    """`msg_id` 0; what else has an id is a confirmation or a refusal."""
    assert read_frame('{"status": true, "msg_id": 0, "msg": "server ping"}') == Ping()
    assert read_frame('{"status": false, "msg_id": 13, "msg": "no"}') == Said(False, "no")


@pytest.mark.parametrize(
    "wrong",
    [b"\xff", "no", "[]", json.dumps(frame(bidPrice=None)), json.dumps(frame(askPrice=1.0)), "{}",
     json.dumps(frame(timestamp="now")), json.dumps(frame(bidPrice=0)), json.dumps(frame(bidPrice=True)),
     json.dumps(frame(symbol=""))],
)  # fmt: skip
def test_a_frame_that_is_odd_costs_only_itself(wrong: Any) -> None:
    """It is told as strange, and the line goes on."""
    with pytest.raises(ProtocolError):
        read_frame(wrong)
    stream = PriceStream(Credentials(USER, API_KEY), ["BTCUSD"])
    assert isinstance(stream.receive(wrong, 0.0)[1][0], Strange)
    assert stream.receive(json.dumps(frame()), 0.0)[1] == [quoted()]


def test_an_older_quote_of_the_same_broker_and_symbol_is_dropped() -> None:
    """Times go back now and then; another broker's may well be older."""
    quotes = Quotes()
    assert [quotes.take(quoted(each)) for each in (1, 2, 2, 1.5, 3)] == [True, True, True, False, True]
    assert quotes.take(quoted(0.5, broker="OANDA"))
    assert quotes.dropped == {("IG", "BTCUSD"): 1}
    assert quotes.of("IG", "BTCUSD") == quoted(3)


def test_a_stale_quote_is_not_handed_out() -> None:
    """By its own time: a frozen account tells one price for minutes."""
    quotes = Quotes()
    quotes.take(quoted())
    assert quotes.fresh("IG", "BTCUSD", seconds(90), AGE) is not None
    assert quotes.fresh("IG", "BTCUSD", seconds(90.1), AGE) is None
    assert quotes.fresh("OANDA", "BTCUSD", AT, AGE) is None


def test_prices_of_now_are_read_by_symbol() -> None:
    """One that is missing is an error, not a price of 0."""
    told = frame(broker="")
    answer = (200, {"res": {"BTCUSD": told}})
    found, [asked] = driven(realtime_price(session(), ["BTCUSD"], "IG"), [answer])
    assert (found["BTCUSD"].quote, found["BTCUSD"].quote.at) == (quoted().quote, AT)
    assert (asked.params["symbols"], asked.params["broker"]) == ("BTCUSD", "IG")
    with pytest.raises(ProtocolError, match="no price of SPY"):
        driven(realtime_price(session(), ["BTCUSD", "SPY"]), [answer])


def build(*quotes: BrokerQuote) -> tuple[MinuteBuilder, list[tuple[str, Bar]]]:
    builder, found = MinuteBuilder(AGE), list[tuple[str, Bar]]()
    for each in quotes:
        done = builder.take(each, each.quote.at)
        assert not isinstance(done, Stale)
        found += done
    return builder, found


def test_a_minute_is_its_quotes_from_its_beginning_to_before_its_end() -> None:
    """Stamped at its end; a quote at the end is the next one's first."""
    prices = [(0, 100.0), (20, 103.0), (40, 98.0), (59.999, 101.0), (60, 200.0)]
    _, [(broker, bar)] = build(*(quoted(at, price) for at, price in prices))
    assert (broker, bar.end) == ("IG", seconds(60))
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (100.0, 103.0, 98.0, 101.0, 0.0)


def test_brokers_are_never_mixed() -> None:
    """Interleaved, 245 apart as they were seen: each has its own bars."""
    quotes = [quoted(at, price, broker) for at in (0, 30, 60) for broker, price in (("IG", 100.0), ("OANDA", 345.0))]
    _, found = build(*quotes)
    assert {broker: (bar.low, bar.high) for broker, bar in found} == {"IG": (100.0, 100.0), "OANDA": (345.0, 345.0)}


def test_a_minute_is_over_when_time_says_so_too() -> None:
    """Without a later quote; one that comes later still is not told in a second bar of that minute."""
    builder, found = build(quoted(10))
    assert found == []
    assert builder.due(seconds(59.9)) == ()
    assert builder.due(seconds(60), timedelta(seconds=1)) == ()
    [(_, bar)] = builder.due(seconds(61), timedelta(seconds=1))
    assert bar.end == seconds(60)
    assert builder.take(quoted(59), seconds(62)) == ()
    assert builder.due(seconds(200)) == ()


def test_a_stale_quote_is_refused_and_one_from_far_ahead_too() -> None:
    """The first is no price of now; behind the second, all others would be old."""
    builder, _ = build()
    assert builder.take(quoted(0), seconds(91)) == Stale(("IG", "BTCUSD"), timedelta(seconds=91))
    assert builder.take(quoted(91.5), AT) == Stale(("IG", "BTCUSD"), timedelta(seconds=-91.5))
    assert builder.take(quoted(0), seconds(1)) == ()


def test_a_minute_that_was_not_heard_whole_is_not_told() -> None:
    """Begun in the middle of one, also after a break: its bar would be a part of it."""
    for begun, told in ((0.0, [60, 120]), (0.1, [120]), (59.0, [120]), (60.0, [120])):
        builder = MinuteBuilder(AGE)
        builder.begin(seconds(begun))
        for at in (59.5, 61.0):
            builder.take(quoted(at), seconds(at))
        found = [seconds(60)] if begun == 0.0 else []
        assert [*found, *(bar.end for _, bar in builder.due(seconds(120)))] == [seconds(each) for each in told]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 99), st.sampled_from("AB")), max_size=60))
def test_bars_of_a_broker_are_those_of_its_quotes_alone(told: list[tuple[int, int, str]]) -> None:
    """Whatever comes, in whatever order: each minute once, in order, within the prices that its broker told."""
    builder = MinuteBuilder(timedelta(hours=1))
    found: list[tuple[str, Bar]] = []
    for at, price, broker in told:
        done = builder.take(quoted(at, float(price), broker), seconds(150))
        found += done if isinstance(done, tuple) else ()
    found += builder.due(seconds(10_000))
    for broker in "AB":
        bars = [bar for whose, bar in found if whose == broker]
        assert [each.end for each in bars] == sorted({each.end for each in bars})
        prices = {price for _, price, whose in told if whose == broker}
        assert all({bar.open, bar.high, bar.low, bar.close} <= prices for bar in bars)


def test_the_line_subscribes_answers_pings_and_tells_what_was_asked_for() -> None:
    """The subscription holds the API key, and nothing else shows it."""
    stream: TimedProtocol[Any] = PriceStream(Credentials(USER, API_KEY), ["BTCUSD"], base_url="http://here")
    [said] = stream.opening(0.0)
    asked = {"msg_id": 13, "user": USER, "api_key": API_KEY, "symbols": ["BTCUSD"], "broker": ""}
    assert (stream.url, json.loads(said), stream.is_ready) == ("ws://here/ws", asked, False)
    assert stream.receive('{"status": true, "msg_id": 0, "msg": "server ping"}', 1.0) == (
        ['{"msg_id": 0, "status": true, "msg": "client pong"}'],
        [],
    )
    assert stream.is_ready
    assert stream.receive(json.dumps(frame(symbol="ETHUSD")), 2.0) == ([], [])
    assert not any(each in stream.url + repr(stream) for each in SECRETS)


def test_the_line_of_one_broker_tells_no_other() -> None:
    """Though others come."""
    stream = PriceStream(Credentials(USER, API_KEY), ["BTCUSD"], "IG")
    told = [stream.receive(json.dumps(frame(broker=each)), 0.0)[1] for each in ("OANDA", "IG")]
    assert told == [[], [quoted()]]


def test_a_refused_subscription_ends_it_all_without_quoting_the_key() -> None:
    """Waiting would not help."""
    stream = PriceStream(Credentials(USER, API_KEY), ["BTCUSD"])
    with pytest.raises(AuthenticationError) as raised:
        stream.receive(json.dumps({"status": False, "msg_id": 13, "msg": f"bad {API_KEY}"}), 0.0)
    assert API_KEY not in str(raised.value)


def test_a_line_that_says_nothing_for_long_is_given_up() -> None:
    """The server pings every thirty seconds."""
    stream = PriceStream(Credentials(USER, API_KEY), ["BTCUSD"])
    stream.opening(10.0)
    assert stream.silence(10.0 + SILENCE, AT) == ""
    assert stream.silence(10.1 + SILENCE, AT) == "nothing was said for 75 s"
    stream.closed()
    assert stream.silence(1e9, AT) == ""
