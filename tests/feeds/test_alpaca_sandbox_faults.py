"""What goes wrong at Alpaca's data side, on demand: each fault by its name."""

import socket
import time

import pytest
import requests
from data_sandbox import AUTH, at, sandbox
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from feeds.alpaca.plans import PAID
from feeds.alpaca.sandbox_stream import Waits
from feeds.alpaca.source import AlpacaBars
from framework.errors import AuthenticationError, ConfigError
from framework.http import Http, Patience
from framework.sandbox.faults import Fault

PRICES = {"SPY": [100.0, 101.0, 102.0, 103.0], "IBM": [50.0, 51.0, 52.0, 53.0]}
BARS = "/v2/stocks/bars"
DAY = {"start": "2026-01-05", "timeframe": "1Min", "feed": "iex"}


def history(venue, **options):
    """Return what AlpacaBars reads, which tries again without waiting."""
    http = Http("Alpaca", Patience(attempts=3), sleep=lambda seconds: None)
    login = {"key": venue.market.key, "secret": venue.market.secret}
    return AlpacaBars(
        ["SPY"], at(-30), base_url=venue.url, cache=False, now=venue.market.now, http=lambda: http, **login, **options
    ).history()["SPY"]


def closes(venue, symbol="SPY"):
    found = venue.body(BARS, symbols=symbol, **DAY)["bars"].get(symbol, [])
    return [bar["c"] for bar in found]


def test_drop_cuts_without_a_closing_handshake():
    """The client sees a broken line; the message is not sent, and counted as lost."""
    with sandbox(PRICES) as venue, venue.client(bars=["SPY"]) as client:
        venue.arm("drop", stream="data")
        venue.step()
        with pytest.raises(ConnectionClosedError):
            client.read()
        assert (venue.market.sent, venue.market.lost) == ({}, {"data": 1})


def test_mute_swallows_so_many_messages():
    """Two are swallowed on a socket that stays open; the third comes."""
    with sandbox(PRICES) as venue, venue.client(bars=["SPY"]) as client:
        venue.arm("mute", stream="data", count=2)
        venue.step(3)
        assert client.read()[0]["c"] == 102.0
        assert venue.market.sent == {"data": 1}


def test_half_closed_socket_answers_no_ping():
    """It says nothing more, and hears nothing; a ping stays without a pong."""
    with sandbox(PRICES) as venue, venue.client(bars=["SPY"]) as client:
        assert client.socket.ping().wait(10)
        venue.arm("half_closed", stream="data")
        venue.step(2)
        assert not client.socket.ping().wait(0.1)
        client.socket.close_socket()


def test_slow_holds_each_message_back():
    """The step returns when the message is out, so it takes as long as the fault says."""
    with sandbox(PRICES) as venue, venue.client(bars=["SPY"]) as client:
        venue.arm("slow", seconds=0.01)
        begun = time.monotonic()
        venue.step()
        assert time.monotonic() - begun >= 0.01
        assert client.read()[0]["c"] == 100.0


def test_zombie_holds_the_only_slot():
    """After the client has gone its slot is taken still: 406, on a socket that stays open."""
    with sandbox(PRICES) as venue:
        venue.arm("zombie", stream="data")
        with venue.client(bars=["SPY"]):
            pass
        with venue.greeted() as client:
            assert [client.ask(AUTH)["code"] for _ in range(3)] == [406, 406, 406]


def test_zombie_lets_go_in_the_end():
    """The slot is held for so many seconds; who asks on gets it then."""
    with sandbox(PRICES) as venue:
        venue.arm("zombie", seconds=0.02)
        with venue.client(bars=["SPY"]):
            pass
        with venue.greeted() as client:
            while client.ask(AUTH)["T"] == "error":
                pass
            assert client.ask({"action": "subscribe", "bars": ["IBM"]})["bars"] == ["IBM"]


def test_client_that_does_not_read_is_cut():
    """When the buffers are full the venue waits for a moment, then lets the client go: it is not held up."""
    many = {f"S{number}": [100.0] * 40 for number in range(300)}
    with (
        sandbox(many, plan=PAID, waits=Waits(slow=0.05)) as venue,
        small_socket(venue) as raw,
        venue.greeted(sock=raw, compression=None, max_queue=1) as client,
    ):
        client.ask(AUTH)
        client.ask({"action": "subscribe", "bars": ["*"], "trades": ["*"], "quotes": ["*"]})
        told = -1
        while told != venue.market.sent["data"]:
            told = venue.market.sent["data"]
            venue.step()
        assert 0 < told < 40 * 300 * 6
        with pytest.raises(ConnectionClosedError):
            list(client.socket)


def small_socket(venue):
    """Return a socket to the venue that holds little."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", int(venue.url.rpartition(":")[2])))
    return raw


def test_handshake_may_be_refused():
    """After too many connections the handshake is answered with 429."""
    with sandbox(PRICES) as venue:
        venue.arm("handshake_refused")
        with pytest.raises(InvalidStatus, match="429"), venue.greeted():
            pass


@pytest.mark.parametrize("code", [408, 411, 500])
def test_any_error_can_be_had(code):
    """Errors that no client can bring about are answered on demand."""
    with sandbox(PRICES) as venue, venue.greeted() as client:
        venue.arm("stream_error", code=code, match={"action": "auth"})
        assert client.ask(AUTH)["code"] == code
        assert client.ask(AUTH)["T"] == "success"


def test_a_word_may_be_left_unanswered():
    """It was heard all the same: what was subscribed to comes."""
    with sandbox(PRICES) as venue, venue.greeted() as client:
        client.ask(AUTH)
        venue.arm("stream_unanswered", match={"action": "subscribe"})
        client.say({"action": "subscribe", "bars": ["SPY"]})
        assert client.ask({"action": "subscribe", "bars": ["IBM"]})["bars"] == ["IBM", "SPY"]
        assert venue.market.faults.made["stream_unanswered"] == 1


def test_late_print_comes_as_an_updated_bar():
    """Half a minute later the bar comes again with another high and volume, and history has it from then on."""
    with sandbox(PRICES) as venue, venue.client(bars=["SPY"], updatedBars=["SPY"]) as client:
        venue.arm("late_update", match={"symbol": "SPY"}, price=100.75, size=40)
        venue.step()
        assert [(each["T"], each["h"], each["v"]) for each in client.read()] == [("b", 100.0, 1000)]
        assert venue.body(BARS, symbols="SPY", **DAY)["bars"]["SPY"][0]["h"] == 100.0
        venue.step()
        updated, new = client.read()
        assert (updated["T"], updated["t"], updated["h"], updated["v"]) == ("u", "2026-01-05T14:30:00Z", 100.75, 1040)
        assert new["T"] == "b"
        corrected = venue.body(BARS, symbols="SPY", **DAY)["bars"]["SPY"][0]
        assert corrected == {name: updated[name] for name in corrected}


def test_updated_bar_does_not_wait_for_the_next_bar():
    """By a running clock it comes half a minute of venue time after its bar, though the next is an hour away."""
    prices = {"SPY": [99.0, *[None] * 9, 100.0, *[None] * 60, 101.0]}
    faults = [Fault("late_update", after=1)]
    with sandbox(prices, speed=600, faults=faults) as venue, venue.client(updatedBars=["SPY"], bars=["SPY"]) as client:
        told = [each["T"] for _ in range(2) for each in client.read_until(100.0)]
        assert told == ["b", "u"]


def test_missing_minute_is_nowhere():
    """Nothing was traded: no bar in the stream, none in history, and no trades."""
    with sandbox(PRICES) as venue, venue.client(bars=["SPY"], trades=["SPY"]) as client:
        venue.arm("missing_minute", match={"symbol": "SPY"}, after=1)
        venue.step(3)
        assert [client.read()[-1]["c"] for _ in range(2)] == [100.0, 102.0]
        assert closes(venue) == [100.0, 102.0]
        trades = venue.body("/v2/stocks/trades", symbols="SPY", feed="iex")["trades"]["SPY"]
        assert {each["p"] for each in trades} == {100.0, 102.0}


def test_missing_minute_and_late_print_survive_a_restart(tmp_path):
    """What the market was made of is in the state file, and faults do not strike again."""
    state = tmp_path / "state"
    with sandbox(PRICES, state=state) as venue:
        venue.arm("missing_minute", match={"symbol": "SPY"})
        venue.arm("late_update", match={"symbol": "IBM"}, price=60.0)
        venue.step(3)
        before = venue.body(BARS, symbols="SPY,IBM", **DAY)
    with sandbox(PRICES, state=state) as venue, venue.client(bars=["*"]) as client:
        assert venue.body(BARS, symbols="SPY,IBM", **DAY) == before
        assert (before["bars"]["IBM"][0]["h"], len(before["bars"]["SPY"])) == (60.0, 2)
        venue.step()
        assert [each["c"] for each in client.read()] == [103.0, 53.0]


def test_missing_bar_is_in_history():
    """A message lost on the way: REST fills the gap."""
    with sandbox(PRICES) as venue, venue.client(bars=["SPY"]) as client:
        venue.arm("missing_bar", match={"symbol": "SPY"})
        venue.step(2)
        assert client.read()[0]["c"] == 101.0
        assert closes(venue) == [100.0, 101.0]


def test_late_bar_comes_after_the_others():
    """SPY's bar comes with the next instant, before that instant's own."""
    with sandbox(PRICES) as venue, venue.client(bars=["*"]) as client:
        venue.arm("late_bar", match={"symbol": "SPY"})
        venue.step(2)
        frames = [[(each["S"], each["t"][14:16]) for each in client.read()] for _ in range(2)]
        assert frames == [[("IBM", "30")], [("SPY", "30"), ("SPY", "31"), ("IBM", "31")]]


def test_trades_are_corrected_and_taken_back():
    """Both come with a subscription to trades, and name the trade by its number."""
    with sandbox(PRICES) as venue, venue.client(trades=["SPY"]) as client:
        venue.arm("trade_correction", match={"symbol": "SPY"}, price=99.5)
        venue.arm("trade_cancel", match={"symbol": "SPY"}, after=1)
        venue.step(2)
        (*_, trade, correction), (*_, last, cancel) = client.read(), client.read()
        assert (correction["T"], correction["oi"], correction["op"], correction["cp"]) == ("c", trade["i"], 100.0, 99.5)
        assert (cancel["T"], cancel["i"], cancel["a"]) == ("x", last["i"], "C")


def test_halts_and_bands_are_told():
    """Statuses in the codes of the symbol's tape, and limit up and down about the price."""
    prices = {"SPY": [100.0] * 2, "AAPL": [200.0] * 2}
    with sandbox(prices) as venue, venue.client(statuses=["*"], lulds=["SPY"]) as client:
        venue.arm("trading_status", count=2)
        venue.arm("luld_bands", match={"symbol": "SPY"})
        venue.step()
        halt, bands, other = client.read()
        assert (halt["sc"], halt["z"], other["sc"], other["z"]) == ("2", "A", "H", "C")
        assert (bands["T"], bands["u"], bands["d"]) == ("l", 105.0, 95.0)
        venue.arm("trading_status", kind="resume")
        venue.step()
        assert client.read()[0]["sm"] == "Resume"


def test_null_bars():
    """Bars may be null; our own source takes it for none at all."""
    with sandbox(PRICES) as venue:
        venue.step(2)
        venue.arm("null_bars", count=2)
        assert venue.body(BARS, symbols="SPY", **DAY) == {"bars": None, "next_page_token": None}
        with pytest.raises(ConfigError, match="no bars for SPY"):
            history(venue)


def test_short_pages():
    """A page may hold less than was asked for, or nothing: only the token tells the end."""
    with sandbox(PRICES) as venue:
        venue.step(3)
        venue.arm("short_pages", size=0)
        venue.arm("short_pages", size=1, count=2)
        assert history(venue).close.tolist() == [100.0, 101.0, 102.0]
        assert venue.market.faults.made == {"short_pages": 3}


def test_rate_limit_storm_passes():
    """Two 429 and then the answer; with or without the limit's headers."""
    with sandbox(PRICES) as venue:
        venue.step(2)
        venue.arm("rate_limited")
        venue.arm("rate_limited", headers=False)
        answers = [venue.get(BARS, symbols="SPY", **DAY) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [429, 429, 200]
        assert ["X-RateLimit-Limit" in answer.headers for answer in answers] == [True, False, True]


def test_gateway_answers_in_html():
    """A 502 is tried again; a 401 in HTML is an error of login."""
    with sandbox(PRICES) as venue:
        venue.step(2)
        venue.arm("bad_gateway")
        assert history(venue).close.tolist() == [100.0, 101.0]
        venue.arm("gateway_unauthorized")
        with pytest.raises(AuthenticationError, match="HTTP 401"):
            history(venue)


def test_request_may_stall():
    """No answer comes: a client needs a limit of its own; a gateway's is a 504."""
    with sandbox(PRICES) as venue:
        venue.arm("stall")
        with pytest.raises(requests.ReadTimeout):
            venue.session.get(venue.url + BARS, timeout=0.05)
        venue.arm("stall", seconds=0.01)
        assert venue.get(BARS).status_code == 504
