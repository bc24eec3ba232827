"""The client's conversation against the real sandbox, over real sockets: bars, limits, drops, and what mends them."""

from datetime import datetime, timedelta
from itertools import groupby

import pytest
from data_sandbox import SECRET, sandbox
from stream_shell import BARS, PRICES, Feed, live, made, opened
from websockets.exceptions import ConnectionClosed

from feeds.alpaca.stream_events import Lost, Refused, State, Stopped, Subscribed, TurnedAway
from feeds.gaps import Handed
from feeds.ledger import Mark
from framework.config import Credentials
from framework.model import Bar, Quote, Revision, Trade

ORDER = list(PRICES)


@pytest.mark.parametrize("packed", [True, False])
def test_bars_of_the_tape_come_as_they_are(packed):
    """In both encodings, instant by instant, stamped with their ends."""
    with sandbox(PRICES) as venue, live(made(venue, packed=packed)) as line:
        venue.step(6)
        told = [line.read() for _ in range(6)]
        played = [venue.market.tape.at(each[0].end).bars for each in told]
        assert [tuple(each) for each in told] == played
        assert line.stream.strange == {}


def test_quotes_and_trades_come_with_their_bars():
    """Nothing of what the sandbox says is strange."""
    channels = {name: ["SPY"] for name in ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")}
    with sandbox(PRICES) as venue, live(made(venue, channels)) as line:
        venue.arm("trading_status")
        venue.arm("trade_correction")
        venue.step(1)
        kinds = [type(each).__name__ for each in line.read()]
        assert kinds == ["Trade"] * 4 + ["TradingStatus", "Quote", "Bar"]
        assert line.stream.strange == {}


@pytest.mark.parametrize(("feed", "crypto", "symbol"), [("test", False, "FAKEPACA"), ("iex", True, "BTC/USD")])
def test_other_streams_speak_alike(feed, crypto, symbol):
    """The test stream and crypto; trades and quotes of each."""
    channels = {name: [symbol] for name in ("trades", "quotes", "bars")}
    with sandbox({"BTC/USD": [1.5, 2.5]}) as venue, live(made(venue, channels, feed=feed, crypto=crypto)) as line:
        venue.step(1)
        assert {type(each) for each in line.read()} == {Trade, Quote, Bar}
        assert line.stream.strange == {}


def test_full_slot_is_waited_for_on_the_same_socket():
    """406 once and again; the login that is sent again gets in when the other has gone."""
    with sandbox(PRICES) as venue, opened(made(venue)) as line:
        with venue.client(bars=["SPY"]):
            assert line.until(TurnedAway) == TurnedAway(1, 15, 0.5)
            line.send(line.stream.due(line.stream.deadline())[0])
            assert line.until(TurnedAway).attempt == 2
        venue.server.wait(venue.market.audiences["data"].attend(0))
        while line.stream.state is not State.LIVE:
            if (again := line.stream.deadline()) is not None:
                line.send(line.stream.due(again)[0])
            line.read()
        venue.step()
        assert [each.symbol for each in line.read()] == ["SPY", "IBM"]


def test_symbol_limit_costs_no_bars():
    """405 for the quotes; the bars come all the same."""
    many = [f"S{number}" for number in range(31)]
    with sandbox(PRICES) as venue, opened(made(venue, {**BARS, "quotes": many})) as line:
        assert "the free plan has 30" in str(line.until(Refused).error)
        assert line.stream.state is State.LIVE
        venue.step()
        assert [each.symbol for each in line.read()] == ["SPY", "IBM"]


def test_symbol_joins_a_stream_that_is_live():
    """Its bars come from the next instant on."""
    with sandbox(PRICES) as venue, live(made(venue, {"bars": ["SPY"]})) as line:
        line.send(line.stream.subscribe({"bars": ["IBM"]}))
        assert line.until(Subscribed).channels == {"bars": {"SPY", "IBM"}}
        venue.step()
        assert [each.symbol for each in line.read()] == ["SPY", "IBM"]


def test_wrong_keys_and_feeds_beyond_the_plan_stop_it():
    """402 and 409 are the end; no key is in the errors."""
    with sandbox(PRICES) as venue:
        for stream in (made(venue, keys=Credentials("PKOTHER", "other-secret")), made(venue, feed="sip")):
            with opened(stream) as line:
                stopped = line.until(Stopped)
                assert not any(each in str(stopped.error) for each in ("PKOTHER", "other-secret", SECRET))


@pytest.mark.parametrize("action", ["auth", "subscribe"])
def test_error_inside_asks_for_another_connection(action):
    """500 in answer to either message."""
    with sandbox(PRICES) as venue:
        venue.arm("stream_error", match={"action": action})
        stream = made(venue)
        with opened(stream) as line:
            line.until(Lost)
        with live(stream) as line:
            venue.step()
            assert len(line.read()) == 2


def test_mute_socket_is_found_and_bars_are_not_lost():
    """Its pings are answered; the minute without a bar is asked of REST ten seconds after its end."""
    with sandbox(PRICES) as venue, live(made(venue)) as line:
        feed = Feed(venue, line.stream)
        venue.arm("mute", stream="data")
        venue.step()
        assert line.socket.ping().wait(10)
        asked = feed.gaps.wanted(feed.gaps.deadline())
        assert len([each for each in feed.mend(asked) if isinstance(each, Handed)]) == 2


def test_late_print_is_a_revision():
    """`updatedBars` comes half a minute later, and tells what was handed on before."""
    with sandbox(PRICES) as venue, live(made(venue)) as line:
        feed = Feed(venue, line.stream)
        venue.arm("late_update", match={"symbol": "SPY"}, price=100.75)
        venue.step(2)
        news = [*feed.take(line.read()), *feed.take(line.read())]
        [revision] = [each for each in news if isinstance(each, Revision)]
        assert (revision.was.high, revision.bar.high) == (100.0, 100.75)


@pytest.mark.parametrize(
    ("fault", "mark", "count"),
    [
        ("drop", Mark.BACKFILLED, 2),
        ("missing_bar", Mark.BACKFILLED, 1),
        ("late_bar", Mark.RECEIVED, 10),
        ("missing_minute", Mark.EMPTY, 3),
    ],
)
def test_bars_equal_the_tape_whatever_goes_wrong(fault, mark, count):
    """A line that is cut, a bar lost or late, a minute without a trade: slices as in a backtest, all accounted for."""
    with sandbox(PRICES) as venue:
        venue.arm(fault, after=2)
        stream = made(venue)
        feed, left, number = Feed(venue, stream), 6, 0
        while left:
            number += 1
            with opened(stream) as line:
                left = follow(venue, feed, line, left, number)
        feed.mend(feed.gaps.wanted(feed.gaps.deadline()))
        slices = [*feed.slices, *feed.slicer.due(1.0)]
        assert [(each.at, [bar.symbol for bar in each.bars]) for each in slices] == history(venue)
        summary = feed.ledger.summary(venue.market.now())
        assert (summary.is_complete, summary.total[mark]) == (True, count)
        assert number == (2 if fault == "drop" else 1)


def follow(venue, feed, line, left, number):
    """Play instant after instant, and read what was sent of each, until the tape or this connection ends."""
    try:
        feed.take([line.until(Subscribed)])
        while left:
            left -= 1
            venue.step()
            while line.stream.counts["b"] < venue.market.sent["data"] or venue.market.faults.made["drop"] == number:
                feed.take(line.read())
    except ConnectionClosed:
        pass
    return left


def history(venue):
    """Return when there are bars, and of which symbols, as REST has it in the end."""
    day = {"start": "2026-01-05", "timeframe": "1Min", "feed": "iex"}
    found = venue.body("/v2/stocks/bars", symbols="SPY,IBM", **day)["bars"]
    starts = sorted((bar["t"], ORDER.index(symbol)) for symbol, bars in found.items() for bar in bars)
    return [
        (datetime.fromisoformat(start) + timedelta(minutes=1), [ORDER[index] for _, index in each])
        for start, each in groupby(starts, key=lambda each: each[0])
    ]
