"""What goes wrong on one side of the proxy is no matter of the others: slow clients, refusals, broken lines."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from data_sandbox import Client
from proxy_stage import Front, fed, proxied
from websockets.exceptions import ConnectionClosed

from feeds.minutes import MINUTE
from framework.columns import moment

PRICES: dict[str, Any] = {"SPY": [100.0 + at for at in range(30)], "IBM": [50.0 + at for at in range(30)]}
LONG = "x" * 1_000


def narrow(front: Front) -> socket.socket:
    """Return a connection to the proxy that takes little before it is full."""
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    own.connect(("127.0.0.1", int(front.proxy.url.rpartition(":")[2])))
    return own


@contextmanager
def stalled(front: Front, **channels: list[str]) -> Iterator[Client]:
    """Connect a client that reads its answers, and then nothing unless it is told to."""
    own = narrow(front)
    with front.greeted(packed=True, sock=own, max_queue=1, close_timeout=0) as client:
        client.ask(front.auth)
        client.ask({"action": "subscribe", **channels})
        try:
            yield client
        finally:
            with suppress(OSError):  # it may be closed already
                own.shutdown(socket.SHUT_RDWR)


def bars_of(client: Client, count: int) -> list[tuple[str, str, float]]:
    """Read so many bars."""
    found: list[tuple[str, str, float]] = []
    while len(found) < count:
        found += [(each["S"], each["t"], each["c"]) for each in client.read()]
    return found


def all_of(client: Client) -> None:
    """Read until the connection ends."""
    while True:
        client.read()


def tape(front: Front, *symbols: str) -> list[tuple[str, str, float]]:
    """Return the tape's bars as a client of JSON is sent them."""
    played = front.venue.market.tape
    ends = [(end, name) for name in symbols for end in map(moment, played.known(name, front.venue.market.now()).end)]
    return [(name, f"{end - MINUTE:%Y-%m-%dT%H:%M:%SZ}", played.ended(name, end).close) for end, name in ends]


def test_client_that_never_reads_is_sent_away_and_costs_the_others_nothing() -> None:
    """It is cut when its budget is used up; who reads has every trade, in order."""
    with (
        fed(budget=100_000) as (feeder, front),
        front.client(packed=True, trades=["SPY"]) as reader,
        stalled(front, trades=["SPY"]) as sleeper,
    ):
        front.until(lambda: front.figures()["clients"] == 2)
        found: list[int] = []
        for number in range(3_000):
            feeder.send({"T": "t", "S": "SPY", "i": number, "x": LONG})
            found += [each["i"] for each in reader.read()]
        assert found == list(range(3_000))
        front.until(lambda: front.figures()["clients"] == 1)
        figures = front.figures()
        assert (figures["slow_clients_total"], figures["conflations_total"]) == (1, 0)
        with pytest.raises(ConnectionClosed):
            all_of(sleeper)


def test_client_that_stalls_finds_the_latest_quotes_and_every_trade() -> None:
    """Quotes give way, what else there is waits; when it reads again it is up to date."""
    with fed(budget=200_000) as (feeder, front), stalled(front, trades=["SPY"], quotes=["*"]) as sleeper:
        for number in range(5_000):
            kind = "t" if number % 100 == 0 else "q"
            feeder.send({"T": kind, "S": "SPY", "i": number, "x": LONG})
        front.until(lambda: front.figures()["messages_received_total"] == 5_000)
        assert front.figures()["lag_seconds"] > 0
        found: list[dict[str, Any]] = []
        while not found or found[-1]["i"] != 4_999:
            found += sleeper.read()
        assert [each["i"] for each in found if each["T"] == "t"] == list(range(0, 5_000, 100))
        assert [each["i"] for each in found] == sorted(each["i"] for each in found)
        front.until(lambda: front.figures()["queue_bytes"] == 0)
        figures = front.figures()
        assert len(found) + figures["conflations_total"] == 5_000 == figures["messages_sent_total"]
        assert (figures["slow_clients_total"], figures["lag_seconds"]) == (0, 0)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_breaks_upstream_every_bar_comes_once_and_in_order(seed: int) -> None:
    """The line drops again and again; no client sees more of it than that bars come late."""
    with proxied(PRICES) as front, front.client(bars=["SPY"]) as one, front.client(bars=["IBM", "SPY"]) as two:
        chance = random.Random(seed)
        for _ in range(30):
            if chance.random() < 0.3:
                front.venue.arm("drop", stream="data")
            front.venue.step(chance.choice((1, 1, 2)) if front.venue.market.now() else 1)
        front.until(lambda: front.figures()["up"] == 1)
        assert bars_of(one, 30) == tape(front, "SPY")
        found = bars_of(two, 60)
        assert [each for each in found if each[0] == "IBM"] == tape(front, "IBM")
        assert [each for each in found if each[0] == "SPY"] == tape(front, "SPY")
        figures = front.figures()
        assert figures["reconnects_total"] > 0
        assert figures["missed_bars_total"] > 0


def test_history_that_does_not_answer_leaves_a_gap_that_is_counted() -> None:
    """What comes live goes on, and the operator is told."""
    with proxied(PRICES) as front, front.client(bars=["SPY"]) as client:
        front.venue.step()
        assert len(bars_of(client, 1)) == 1
        front.venue.arm("bad_gateway", count=0)
        front.venue.arm("drop", stream="data")
        front.venue.step()
        front.until(lambda: front.figures()["gaps_open_total"] == 1)
        front.venue.step()
        assert bars_of(client, 1)[0][2] == 102.0
        assert any("history does not answer" in each for each in front.proxy.remarks)


def test_refusal_upstream_is_told_to_who_asked() -> None:
    """With the code that upstream gave; the others keep theirs, and the client what it had."""
    with proxied(PRICES) as front, front.client(bars=["SPY"]) as one, front.client(bars=["SPY"]) as two:
        front.venue.arm("stream_error", stream="data", match={"action": "subscribe"}, code=405)
        assert two.ask({"action": "subscribe", "quotes": ["IBM"]})["code"] == 405
        [answer] = two.read()
        assert (answer["bars"], answer["quotes"]) == (["SPY"], [])
        front.venue.step()
        assert [bars_of(each, 1)[0][2] for each in (one, two)] == [100.0, 100.0]


def test_refusal_of_what_two_asked_for_together_is_asked_for_apart() -> None:
    """Gathered into one question upstream, it may be the fault of one of them: none is refused for the other."""
    with proxied(PRICES) as front, front.client() as one, front.client() as two:
        front.venue.arm("stream_error", stream="data", match={"action": "subscribe"}, code=405)
        one.say({"action": "subscribe", "bars": ["SPY"]})
        two.say({"action": "subscribe", "bars": ["IBM"]})
        assert (one.read()[0]["bars"], two.read()[0]["bars"]) == (["SPY"], ["IBM"])


def test_stream_without_a_plan_ends_alone() -> None:
    """Its clients are told why, now and later, and let go; the others' stream goes on."""
    path = "/v1beta3/crypto/us"
    with proxied(PRICES) as front, front.client(bars=["SPY"]) as client:
        front.venue.arm("stream_error", stream="crypto", match={"action": "auth"}, code=409)
        with front.greeted(path) as ended:
            assert ended.ask(front.auth)["msg"] == "authenticated"
            assert ended.read() == [{"T": "error", "code": 409, "msg": "insufficient subscription"}]
            with pytest.raises(ConnectionClosed):
                ended.read()
        with front.greeted(path) as later:
            assert later.ask(front.auth)["code"] == 409
        assert any("409" in each and path in each for each in front.proxy.remarks)
        front.venue.step()
        assert len(bars_of(client, 1)) == 1


def test_subscription_while_the_line_is_down_is_answered_and_had_later() -> None:
    """A client is not left waiting for as long as an outage takes."""
    with proxied(PRICES) as front, front.client(bars=["SPY"]) as client:
        front.venue.arm("handshake_refused", stream="data", count=3)
        front.venue.server.call(front.venue.market.audiences["data"].cut)
        assert client.ask({"action": "subscribe", "bars": ["IBM"]})["bars"] == ["IBM", "SPY"]
        front.until(lambda: front.figures()["up"] == 1)
        front.venue.step()
        assert {each[0] for each in bars_of(client, 2)} == {"SPY", "IBM"}
