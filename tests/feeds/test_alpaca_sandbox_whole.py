"""The whole sandbox, both sides of Alpaca under one address: data and trading agree."""

from __future__ import annotations

import requests
from data_sandbox import Client
from websockets.sync.client import connect

from feeds import AlpacaBars
from framework.app.sandbox import Sandbox


def test_history_of_the_sandbox_is_its_tape():
    """AlpacaBars reads what `switchback sandbox` plays, up to its clock, the days before included."""
    with Sandbox() as sandbox:
        sandbox.step(5)
        source = AlpacaBars(
            ["SPY", "IBM"], "2026-10-01", key=sandbox.key, secret=sandbox.secret, base_url=sandbox.url, cache=False,
            now=sandbox.market.now,
        )  # fmt: skip
        for symbol, bars in source.history().items():
            known = sandbox.market.tape.known(symbol, sandbox.market.now())[-len(bars) :]
            assert len(bars) > 2 * 300
            assert (bars.end == known.end).all()
            assert (bars.close == known.close).all()


def test_step_tells_how_many_messages_there_are_to_read():
    """A lock-step client reads each stream until it has seen as many as the answer says, its bars before its fills."""
    with Sandbox() as sandbox, connect(sandbox.websocket + "/v2/iex") as socket:
        client = Client(socket)
        client.read()
        client.ask({"action": "auth", "key": sandbox.key, "secret": sandbox.secret})
        client.ask({"action": "subscribe", "bars": ["SPY", "IBM"], "quotes": ["SPY"]})
        sent = [requests.post(sandbox.url + "/_sandbox/step", timeout=10).json()["sent"]["data"] for _ in range(3)]
        read = [len(client.read()) for _ in range(3)]
        assert sent == [sum(read[: count + 1]) for count in range(3)]


def test_latest_price_is_what_an_order_fills_around():
    """The market order fills at the next bar's open, which the data side then tells as its first trade."""
    with Sandbox() as sandbox:
        login = {"APCA-API-KEY-ID": sandbox.key, "APCA-API-SECRET-KEY": sandbox.secret}
        order = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
        sandbox.step()
        requests.post(sandbox.url + "/v2/orders", json=order, headers=login, timeout=10).raise_for_status()
        sandbox.step()
        [filled] = requests.get(sandbox.url + "/v2/orders?status=closed", headers=login, timeout=10).json()
        bar = requests.get(sandbox.url + "/v2/stocks/SPY/bars/latest", headers=login, timeout=10).json()["bar"]
        assert float(filled["filled_avg_price"]) == bar["o"]
