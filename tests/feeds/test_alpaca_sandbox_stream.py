"""The sandbox's market data streams, over real sockets: greeting, login, channels, encodings, limits."""

from datetime import UTC, datetime

import pytest
from data_sandbox import AUTH, LOGIN, at, sandbox
from tape import Tape
from websockets.exceptions import ConnectionClosed

from feeds.alpaca.plans import PAID
from feeds.alpaca.sandbox_stream import Waits
from framework.model import Quote

AUTHENTICATED = {"T": "success", "msg": "authenticated"}
PRICES = {"SPY": [(100.0, 104.0, 99.0, 101.0), 102.0, 103.0], "IBM": [50.0, 51.0, None]}


def error(code, message):
    return {"T": "error", "code": code, "msg": message}


def test_bars_of_an_instant_come_in_one_frame():
    """Two symbols' bars, stamped with their start, and nothing of what was not asked for."""
    with sandbox(PRICES) as venue, venue.client(bars=["SPY", "IBM"]) as client:
        venue.step()
        bar = {
            "o": 100.0,
            "h": 104.0,
            "l": 99.0,
            "c": 101.0,
            "v": 1000,
            "t": "2026-01-05T14:30:00Z",
            "n": 4,
            "vw": 101.0,
        }
        first, second = client.read()
        assert first == {"T": "b", "S": "SPY", **bar}
        assert (second["S"], second["c"]) == ("IBM", 50.0)


def test_minute_without_a_trade_has_no_bar():
    """IBM is silent in the third minute; SPY's bar comes alone."""
    with sandbox(PRICES) as venue, venue.client(bars=["*"]) as client:
        venue.step(3)
        assert [[each["S"] for each in client.read()] for _ in range(3)] == [["SPY", "IBM"], ["SPY", "IBM"], ["SPY"]]


def test_every_message_is_counted():
    """The market's count is what a lock-step client has to read, and no greeting is in it."""
    with sandbox(PRICES) as venue, venue.client(bars=["SPY"], quotes=["IBM"]) as client:
        venue.step(3)
        read = [each for _ in range(3) for each in client.read()]
        assert venue.market.sent == {"data": 5}
        assert [each["T"] for each in read] == ["q", "b", "q", "b", "b"]


def test_market_knows_who_listens():
    """A client listens from its first subscription to its last; `/_sandbox/state` shows it."""
    with sandbox(PRICES) as venue, venue.client(bars=["SPY"]) as client:
        assert venue.body("/_sandbox/state")["listening"] == {"data": 1}
        client.ask({"action": "unsubscribe", "bars": ["SPY"]})
        assert venue.body("/_sandbox/state")["listening"] == {"data": 0}
        venue.step()
        assert venue.market.sent == {}


def test_msgpack_has_timestamps_of_its_own():
    """With its content type frames are binary and a time is a time, not a text."""
    with sandbox(PRICES) as venue, venue.client(packed=True, bars=["SPY"]) as client:
        venue.step()
        [bar] = client.read()
        assert (bar["T"], bar["c"], bar["t"]) == ("b", 101.0, datetime(2026, 1, 5, 14, 30, tzinfo=UTC))


def test_trades_and_quotes_come_before_the_bar_they_make():
    """What is known first is told first: four trades, the quote at the end, the bar, the day so far."""
    channels = {name: ["SPY"] for name in ("trades", "quotes", "bars", "dailyBars")}
    with sandbox(PRICES) as venue, venue.client(**channels) as client:
        venue.step(2)
        first, second = client.read(), client.read()
        assert [each["T"] for each in first] == ["t", "t", "t", "t", "q", "b", "d"]
        assert [each["p"] for each in first[:4]] == [100.0, 99.0, 104.0, 101.0]
        day = {"o": 100.0, "h": 104.0, "l": 99.0, "c": 102.0, "v": 2000, "t": "2026-01-05T05:00:00Z"}
        assert day.items() <= second[-1].items()


def test_stream_and_history_name_a_trade_alike():
    """A trade's number is the same on both ways."""
    with sandbox(PRICES) as venue, venue.client(trades=["SPY"]) as client:
        venue.step()
        streamed = [each["i"] for each in client.read()]
        history = venue.body("/v2/stocks/trades", symbols="SPY", feed="iex")["trades"]["SPY"]
        assert streamed == [each["i"] for each in history]


def test_keys_in_the_handshake_log_in():
    """With the headers of REST no message is needed, and one more is an error that does no harm."""
    with sandbox() as venue, venue.greeted(login=LOGIN) as client:
        assert client.read() == [AUTHENTICATED]
        assert client.ask(AUTH) == error(403, "already authenticated")
        assert client.ask({"action": "subscribe", "bars": ["SPY"]})["bars"] == ["SPY"]


def test_silent_client_is_let_go():
    """Who does not log in within the time is told 404, and the socket closes."""
    with sandbox(waits=Waits(auth=0.05)) as venue, venue.greeted() as client:
        assert client.read() == [error(404, "auth timeout")]
        with pytest.raises(ConnectionClosed):
            client.socket.recv(timeout=10)


def test_text_that_is_no_json_is_answered():
    """Broken JSON, and text to a socket that speaks MessagePack, are bad syntax."""
    with sandbox() as venue:
        with venue.greeted() as client:
            client.socket.send("{")
            assert client.read() == [error(400, "invalid syntax")]
        with venue.greeted(packed=True) as client:
            client.socket.send(b"\xc1")
            assert client.read() == [error(400, "invalid syntax")]


def test_second_connection_is_refused_with_the_socket_left_open():
    """406, and the same socket gets in when the first has gone."""
    with sandbox() as venue, venue.greeted() as second:
        with venue.client(bars=["SPY"]):
            assert second.ask(AUTH) == error(406, "connection limit exceeded")
        answers = iter(lambda: second.ask(AUTH), AUTHENTICATED)
        assert all(answer["code"] == 406 for answer in answers)
        assert second.ask({"action": "subscribe", "bars": ["SPY"]})["bars"] == ["SPY"]


def test_each_endpoint_has_a_slot_of_its_own():
    """Stocks and crypto, and both feeds of stocks, may be open at once."""
    with (
        sandbox(plan=PAID) as venue,
        venue.client("/v2/iex"),
        venue.client("/v2/sip"),
        venue.client("/v1beta3/crypto/us"),
        venue.client("/v2/test", bars=["FAKEPACA"]) as client,
    ):
        venue.step()
        assert [each["S"] for each in client.read()] == ["FAKEPACA"]


def test_frames_may_be_compressed():
    """A client that offers permessage-deflate gets it."""
    with sandbox() as venue, venue.client(bars=["SPY"]) as client:
        assert [each.name for each in client.socket.protocol.extensions] == ["permessage-deflate"]


def test_all_exchanges_need_the_paid_plan():
    """The login to SIP is answered with 409."""
    with sandbox() as venue, venue.greeted("/v2/sip") as client:
        assert client.ask(AUTH) == error(409, "insufficient subscription")


def test_crypto_has_order_books():
    """A pair's quote, its book and its bar, counted by themselves."""
    source = Tape({"BTC/USD": [100.0]}, calendar="24/7")
    channels = {name: ["BTC/USD"] for name in ("quotes", "orderbooks", "bars", "trades")}
    with sandbox(source=source) as venue, venue.client("/v1beta3/crypto/us", **channels) as client:
        venue.step()
        told = {each["T"]: each for each in client.read()}
        assert told["o"]["r"] is True
        assert told["o"]["b"] == [{"p": told["q"]["bp"], "s": 100.0}]
        assert (told["b"]["v"], told["t"]["tks"] in "BS", venue.market.sent["crypto"]) == (1000.0, True, 7)


def test_test_stream_has_its_own_symbol():
    """FAKEPACA trades on `/v2/test`, and its trades make its bar."""
    channels = {name: ["FAKEPACA"] for name in ("trades", "quotes", "bars")}
    with sandbox() as venue, venue.client("/v2/test", **channels) as client:
        venue.step()
        *trades, quote, bar = client.read()
        prices = [each["p"] for each in trades]
        assert (prices[0], max(prices), min(prices), prices[-1]) == (bar["o"], bar["h"], bar["l"], bar["c"])
        assert quote["bp"] < bar["c"] < quote["ap"]


def test_test_stream_goes_on_when_the_market_is_shut():
    """By a running clock it needs no tape: three minutes come after the tape's last bar."""
    with sandbox({"SPY": [100.0]}, speed=2400) as venue, venue.client("/v2/test", bars=["FAKEPACA"]) as client:
        starts = [client.read()[0]["t"] for _ in range(4)]
        assert starts[-1] > "2026-01-05T14:32:00Z"
        assert starts == sorted(set(starts))


def test_running_clock_plays_by_itself():
    """At 2400 minutes' worth a second a bar comes without a step."""
    with sandbox({"SPY": [100.0] * 200}, speed=2400) as venue, venue.client(bars=["SPY"]) as client:
        assert client.read()[0]["T"] == "b"


def test_recorded_quotes_are_played_at_their_time():
    """A quote between two bars is an instant of its own."""
    quote = Quote("SPY", at(0.5), 99.5, 3.0, 100.5, 7.0)
    with sandbox(PRICES, quotes=[quote]) as venue, venue.client(quotes=["SPY"]) as client:
        venue.step()
        [told] = client.read()
        assert (told["t"], told["bp"], told["as"]) == ("2026-01-05T14:30:30Z", 99.5, 7)
        assert venue.body("/v2/stocks/quotes/latest", symbols="SPY")["quotes"]["SPY"]["bs"] == 3
