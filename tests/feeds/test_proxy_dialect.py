"""The proxy speaks Alpaca's dialect to its clients: each has a login, a list and an encoding of its own."""

from __future__ import annotations

import json

import msgpack
import pytest
import requests
from data_sandbox import AUTH, LOGIN
from proxy_stage import QUICK, proxied
from websockets.exceptions import ConnectionClosed

from framework.app.proxy import Proxy
from framework.errors import ConfigError

PRICES = {"SPY": [100.0, 101.0, 102.0, 103.0], "IBM": [50.0, 51.0, 52.0, 53.0]}
IN = [{"T": "success", "msg": "authenticated"}]


def lists(answer):
    """Return the channels of a subscription's answer that are not empty."""
    assert answer["T"] == "subscription"
    return {name: symbols for name, symbols in answer.items() if name != "T" and symbols}


def code(answer):
    assert answer["T"] == "error"
    return answer["code"]


def test_login_is_by_message_or_by_header():
    """With the local keys; the account's own open nothing here."""
    with proxied(PRICES) as front:
        with front.greeted(login=front.login) as client:
            assert client.read() == IN
            assert code(client.ask(front.auth)) == 403
        with front.greeted() as client:
            assert code(client.ask({"action": "subscribe", "bars": ["SPY"]})) == 401
            assert code(client.ask(AUTH)) == 402
            assert code(client.ask({"action": "auth", "key": 1})) == 402
            assert [client.ask(front.auth)] == IN
        with front.greeted(login=LOGIN) as client:
            assert code(client.read()[0]) == 402


def test_who_does_not_say_who_it_is_is_sent_away():
    """After a while, with 404."""
    with proxied(PRICES, login=0.05) as front, front.greeted() as client:
        assert code(client.read()[0]) == 404
        with pytest.raises(ConnectionClosed):
            client.read()


def test_each_is_told_its_own_list():
    """Not the union that is asked for upstream; corrections and cancels come with trades."""
    with proxied(PRICES) as front, front.client(bars=["SPY"], quotes=["SPY"]) as one, front.client() as two:
        mine = lists(two.ask({"action": "subscribe", "bars": ["IBM", "*"], "trades": ["SPY"]}))
        assert mine == {"bars": ["*", "IBM"], **{name: ["SPY"] for name in ("trades", "corrections", "cancelErrors")}}
        assert lists(two.ask({"action": "unsubscribe", "bars": ["*"], "trades": ["SPY"]})) == {"bars": ["IBM"]}
        assert lists(one.ask({"action": "subscribe"})) == {"bars": ["SPY"], "quotes": ["SPY"]}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (["subscribe"], 400),
        ({"action": "dance"}, 400),
        ({"action": "subscribe", "bars": "SPY"}, 400),
        ({"action": "subscribe", "bars": ["spy"]}, 400),
        ({"action": "subscribe", "orderbooks": ["SPY"]}, 410),
        ({"action": "subscribe", "bars": ["BTC/USD"]}, 400),
    ],
)
def test_what_cannot_be_asked_for_is_answered_here(message, told):
    """It never goes upstream, where it might end everybody's connection."""
    with proxied(PRICES) as front, front.client(bars=["SPY"]) as client:
        assert code(client.ask(message)) == told
        assert lists(client.ask({"action": "subscribe"})) == {"bars": ["SPY"]}


def test_who_exceeds_the_plan_is_told_405_and_the_others_keep_theirs():
    """The plan's quotes and trades are for all together; a symbol that another has already costs nothing."""
    with proxied(PRICES, limit=2) as front:
        with front.client(quotes=["SPY"]) as one, front.client(trades=["SPY"]) as two:
            assert code(two.ask({"action": "subscribe", "quotes": ["IBM"], "bars": ["IBM"]})) == 405
            assert code(two.ask({"action": "subscribe", "quotes": ["*"]})) == 405
            assert lists(two.ask({"action": "subscribe", "quotes": ["SPY"]}))["quotes"] == ["SPY"]
            front.venue.step()
            assert [each["T"] for each in one.read()] == ["q"]
            assert [each["T"] for each in two.read()] == ["t"] * 4 + ["q"]
        front.until(lambda: front.figures()["clients"] == 0)
        with front.client(quotes=["IBM", "SPY"]) as three:
            front.venue.step()
            assert {each["S"] for each in three.read()} == {"IBM", "SPY"}


def test_both_encodings_say_the_same():
    """Times are timestamps in MessagePack and text in JSON."""
    with proxied(PRICES) as front, front.client(packed=True, bars=["*"]) as packed, front.client(bars=["*"]) as text:
        front.venue.step()
        rows, texts = packed.read(), text.read()
        assert [row | {"t": f"{row['t']:%Y-%m-%dT%H:%M:%SZ}"} for row in rows] == texts
        assert [(each["S"], each["c"]) for each in texts] == [("SPY", 100.0), ("IBM", 50.0)]


def test_message_in_pieces_is_put_together():
    """As alpaca-py sends its subscriptions: in frames of a part each."""
    with proxied(PRICES) as front, front.client(packed=True) as client:
        said = msgpack.packb({"action": "subscribe", "bars": ["SPY"] * 9_000})
        client.socket.send(said[at : at + 8_000] for at in range(0, len(said), 8_000))
        [answer] = client.read()
        assert lists(answer) == {"bars": ["SPY"]}


def test_every_channel_comes_to_who_asked_for_it():
    """Halts, late bars, day bars, corrections: each kind in the stream's own order."""
    with proxied({"SPY": [100.0] * 6}) as front:
        channels = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
        with front.client(**{name: ["SPY"] for name in channels}) as client, front.client(statuses=["*"]) as other:
            for fault in ("late_update", "trade_correction", "trade_cancel", "trading_status", "luld_bands"):
                front.venue.arm(fault)
            front.venue.step(2)
            kinds = "ttttcxslqbd" + "uttttqbd"
            told: list[str] = []
            while len(told) < len(kinds):  # what comes at once may come as one frame
                told += [each["T"] for each in client.read()]
            assert "".join(told) == kinds
            assert [each["T"] for each in other.read()] == ["s"]


def test_crypto_and_the_test_stream_have_connections_of_their_own():
    """They are made when somebody asks, and are other streams in the figures."""
    with proxied({"SPY": [100.0] * 3}) as front:
        assert list(front.proxy.figures()) == ["/v2/iex"]
        with front.client("/v2/test", bars=["FAKEPACA"]) as test, front.client("/v1beta3/crypto/us") as crypto:
            asked = {"action": "subscribe", "orderbooks": ["BTC/USD"]}
            assert lists(crypto.ask(asked)) == {"orderbooks": ["BTC/USD"]}
            front.venue.step()
            assert test.read()[0]["S"] == "FAKEPACA"
            assert set(front.proxy.figures()) == {"/v2/iex", "/v2/test", "/v1beta3/crypto/us"}


def test_stream_that_the_proxy_does_not_hold_is_409():
    """The words are those at which alpaca-py gives up for good."""
    with proxied(PRICES) as front, front.greeted("/v2/sip") as client:
        assert client.ask(front.auth) == {"T": "error", "code": 409, "msg": "insufficient subscription"}


def test_history_goes_through_with_the_accounts_keys():
    """As it is; who does not know the local keys has none."""
    with proxied(PRICES) as front:
        front.venue.step(2)
        where = front.proxy.url + "/v2/stocks/bars"
        asked = {"symbols": "SPY", "timeframe": "1Min", "start": "2026-01-05", "feed": "iex"}
        found = requests.get(where, asked, headers=front.login, timeout=10)
        assert [each["c"] for each in found.json()["bars"]["SPY"]] == [100.0, 101.0]
        assert "X-RateLimit-Remaining" in found.headers
        assert requests.get(where, asked, headers=LOGIN, timeout=10).status_code == 401
        assert requests.get(where, {"symbols": ""}, headers=front.login, timeout=10).status_code == 400


def test_local_keys_are_the_same_after_a_restart_where_they_are_set(monkeypatch):
    """Else they are made up at each start, and never the account's."""
    with proxied(PRICES) as one, proxied(PRICES) as two:
        assert one.proxy.secret != two.proxy.secret
        assert AUTH["secret"] not in json.dumps([one.proxy.secret, two.proxy.secret])
    monkeypatch.setenv("SWITCHBACK_PROXY_KEY", "PXOWN")
    monkeypatch.setenv("SWITCHBACK_PROXY_SECRET", "of-my-own")
    with proxied(PRICES) as front:
        assert (front.proxy.key, front.proxy.secret) == ("PXOWN", "of-my-own")


def test_port_that_is_taken_is_said():
    """In one line, before anything is served."""
    with proxied(PRICES) as front:
        port = int(front.proxy.url.rpartition(":")[2])
        second = Proxy(upstream=front.venue.url, key="k", secret="s", port=port, waits=QUICK)
        with pytest.raises(ConfigError, match=f"port {port} cannot be served"), second:
            pass
