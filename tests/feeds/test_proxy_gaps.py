"""What a break upstream leaves: missed trades come, gaps are marked for those who ask, and for nobody else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgpack
import pytest
import requests
from data_sandbox import Client
from proxy_stage import Front, proxied
from tape import OPEN

from feeds.alpaca.messages import stamp
from feeds.alpaca.plans import PAID
from feeds.minutes import MINUTE

PRICES: dict[str, Any] = {"SPY": [100.0 + at for at in range(30)], "IBM": [50.0 + at for at in range(30)]}

MARKED = "/v2/iex?gaps=1"


@contextmanager
def down(front: Front) -> Iterator[None]:
    """Keep the line upstream down until the block is left; return when it is up again."""
    front.venue.arm("handshake_refused", stream="data", count=0)
    front.venue.server.call(front.venue.market.audiences["data"].cut)
    front.until(lambda: front.figures()["up"] == 0)
    yield
    front.venue.server.call(front.venue.market.faults.clear)
    front.until(lambda: front.figures()["up"] == 1)


def read(client: Client, kind: str, count: int) -> list[dict[str, Any]]:
    """Read until so many messages of a type have come; return all that came."""
    found: list[dict[str, Any]] = []
    while sum(each["T"] == kind for each in found) < count:
        found += client.read()
    return found


def traded(front: Front, symbol: str, path: str = "/v2/stocks/trades", **query: Any) -> list[Any]:
    """Return the tape's trades of a symbol as history has them, and as a client of JSON is to be sent them."""
    rows = front.venue.body(path, symbols=symbol, limit=10_000, **query)["trades"][symbol]
    return [{"T": "t", "S": symbol, **each} for each in rows]


def marker(symbol: str, channel: str, since: Any, until: Any, *, filled: bool, count: int = 0) -> dict[str, Any]:
    return {"T": "gap", "S": symbol, "channel": channel, "from": since, "to": until, "filled": filled, "n": count}


@pytest.mark.parametrize("seed", range(3))
def test_whatever_breaks_upstream_every_trade_comes_once_and_in_order(seed: int) -> None:
    """The line drops again and again; what a client has of a symbol is the tape, each bar after its trades."""
    with (
        proxied(PRICES) as front,
        front.client(trades=["SPY"]) as one,
        front.client(MARKED, trades=["IBM", "SPY"], bars=["SPY"]) as two,
    ):
        chance = random.Random(seed)
        for _ in range(20):
            if chance.random() < 0.3:
                front.venue.arm("drop", stream="data")
            front.venue.step()
        front.until(lambda: front.figures()["up"] == 1)
        assert read(one, "t", 80) == traded(front, "SPY", feed="iex")
        found = read(two, "b", 20)
        for name in PRICES:
            own = [each for each in found if each["T"] == "t" and each["S"] == name]
            assert own == traded(front, name, feed="iex")
        spy = [each for each in found if each["S"] == "SPY" and each["T"] != "gap"]
        assert [each["T"] for each in spy] == ["t", "t", "t", "t", "b"] * 20
        gaps = [each for each in found if each["T"] == "gap"]
        assert all(each["filled"] for each in gaps)
        figures = front.figures()
        for name in ("bars", "trades"):
            assert sum(each["n"] for each in gaps if each["channel"] == name) == figures[f"missed_{name}_total"] > 0


def test_missed_trades_of_pairs_come_from_their_own_history() -> None:
    """Crypto has another address, and no exchanges."""
    path = "/v1beta3/crypto/us"
    with proxied({"BTC/USD": [100.0, 101.0, 102.0]}) as front, front.client(path, trades=["BTC/USD"]) as client:
        front.venue.step()
        front.venue.arm("drop", stream="crypto")
        front.venue.step(2)
        found = read(client, "t", 12)
        assert found == traded(front, "BTC/USD", path + "/trades")
        assert found[0].keys() == {"T", "S", "t", "p", "s", "i", "tks"}


def test_gap_is_marked_before_what_follows_it() -> None:
    """Each channel and symbol of the list: since when, until when, how many of it come now; quotes never do."""
    with proxied(PRICES) as front, front.client(MARKED, bars=["SPY"], trades=["SPY"], quotes=["SPY"]) as client:
        front.venue.step()
        last = read(client, "b", 1)
        assert [each["T"] for each in last] == ["t", "t", "t", "t", "q", "b"]
        with down(front):
            front.venue.step(2)
        [quotes, bars, trades, *rest] = read(client, "b", 2)
        now = stamp(front.venue.market.now())
        assert (quotes["S"], quotes["channel"], quotes["filled"], quotes["n"]) == ("SPY", "quotes", False, 0)
        assert bars == marker("SPY", "bars", stamp(OPEN + MINUTE), now, filled=True, count=2)
        since = "2026-01-05T14:30:54.999Z"  # a little before the last trade that was told
        assert trades == marker("SPY", "trades", since, now, filled=True, count=8)
        assert [each["T"] for each in rest] == ["t", "t", "t", "t", "b"] * 2
        assert [each for each in rest if each["T"] == "t"] == traded(front, "SPY", feed="iex")[4:]


def test_markers_times_are_timestamps_in_messagepack() -> None:
    """As all times are there."""
    with proxied(PRICES) as front, front.client(MARKED, packed=True, bars=["SPY"], statuses=["*"]) as client:
        front.venue.step()
        read(client, "b", 1)
        with down(front):
            front.venue.step()
        frames = [client.socket.recv(timeout=10) for _ in range(3)]
        [[statuses], [bars], _] = [msgpack.unpackb(each) for each in frames]
        assert (statuses["S"], statuses["channel"], statuses["filled"]) == ("*", "statuses", False)
        assert [type(bars[each]) for each in ("from", "to")] == [msgpack.Timestamp] * 2
        assert bars["from"].to_datetime() == OPEN + MINUTE


def test_nobody_else_is_sent_a_marker() -> None:
    """Neither who did not ask for them, nor of what another client has."""
    with (
        proxied(PRICES) as front,
        front.client(bars=["SPY"], quotes=["SPY"]) as plain,
        front.client("/v2/iex?gaps=0", bars=["SPY"]) as refusing,
        front.client(MARKED, bars=["IBM"]) as marked,
    ):
        front.venue.step()
        with down(front):
            front.venue.step(3)
        assert {each["T"] for each in read(plain, "b", 4)} == {"b", "q"}
        assert {each["T"] for each in read(refusing, "b", 4)} == {"b"}
        found = read(marked, "b", 4)
        assert [(each["T"], each["S"]) for each in found] == [("b", "IBM"), ("gap", "IBM"), *[("b", "IBM")] * 3]


def test_gap_that_history_does_not_fill_is_marked_as_open() -> None:
    """What comes live goes on, and the operator is told of each kind."""
    with proxied(PRICES) as front, front.client(MARKED, bars=["SPY"], trades=["SPY"]) as client:
        front.venue.step()
        read(client, "b", 1)
        front.venue.arm("bad_gateway", count=0)
        front.venue.arm("drop", stream="data")
        front.venue.step()
        found = read(client, "gap", 2)
        assert [(each["channel"], each["filled"], each["n"]) for each in found] == [
            ("bars", False, 0),
            ("trades", False, 0),
        ]
        front.venue.step()
        assert [each["T"] for each in read(client, "b", 1)] == ["t", "t", "t", "t", "b"]
        assert front.figures()["gaps_open_total"] == 2
        remarks = [each for each in front.proxy.remarks if "may be missing" in each]
        assert [each.partition(" may")[0] for each in remarks] == ["/v2/iex: bars", "/v2/iex: trades"]


def test_trades_of_everything_stay_open() -> None:
    """History is asked by symbol: of those that somebody names what was missed comes, and is told to both."""
    with (
        proxied(PRICES, venue={"plan": PAID}, limit=0) as front,
        front.client(MARKED, trades=["*"]) as everything,
        front.client(trades=["SPY"]) as named,
    ):
        front.venue.step()
        read(named, "t", 4)
        read(everything, "t", 8)
        with down(front):
            front.venue.step()
        assert read(named, "t", 4) == traded(front, "SPY", feed="iex")[4:]
        [told, *rest] = read(everything, "t", 4)
        assert (told["S"], told["filled"], told["n"]) == ("*", False, 4)
        assert {each["S"] for each in rest} == {"SPY"}
        assert front.figures()["gaps_open_total"] == 1


def test_stream_without_history_leaves_its_gaps_open() -> None:
    """Alpaca's test stream has none."""
    with proxied(PRICES) as front, front.client("/v2/test?gaps=1", bars=["FAKEPACA"]) as client:
        front.venue.step()
        front.venue.arm("drop", stream="test")
        front.venue.step()
        [_, told, *_] = read(client, "gap", 1)
        assert (told["S"], told["channel"], told["filled"]) == ("FAKEPACA", "bars", False)
        assert front.figures("/v2/test")["gaps_open_total"] == 1


def test_gap_with_more_trades_than_are_asked_for_stays_open() -> None:
    """The bars of the time come all the same, and so does what follows."""
    with proxied(PRICES, budget=4_000) as front, front.client(MARKED, bars=["SPY"], trades=["SPY"]) as client:
        front.venue.step()
        read(client, "b", 1)
        with down(front):
            front.venue.step(3)
        found = read(client, "b", 3)
        assert [(each["T"], each.get("filled")) for each in found] == [
            ("gap", True),
            ("gap", False),
            *[("b", None)] * 3,
        ]
        front.venue.step()
        assert [each["T"] for each in read(client, "b", 1)] == ["t", "t", "t", "t", "b"]
        assert any("more trades than are asked for, which are 10" in each for each in front.proxy.remarks)


def test_other_word_for_gaps_is_said() -> None:
    """Before a client waits for markers that never come."""
    with proxied(PRICES) as front:
        answer = requests.get(front.proxy.url + "/v2/iex?gaps=yes", timeout=10)
        assert (answer.status_code, answer.text) == (400, "gaps is 1 for markers of gaps, or 0; try ?gaps=1")
