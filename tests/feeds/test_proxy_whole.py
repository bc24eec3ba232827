"""Our own adapter and a crowd of clients through the proxy."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import live_feed
from live_feed import FULL, listening
from proxy_stage import QUICK, proxied
from websockets.asyncio.client import ClientConnection, connect

from feeds import AlpacaBars
from framework.app.proxy import Proxy
from framework.app.sandbox import Sandbox
from framework.columns import moment

CROWD = int(os.environ.get("DRILL_CLIENTS", "50"))


@contextmanager
def proxied_sandbox() -> Iterator[tuple[Sandbox, Proxy]]:
    with live_feed.sandbox(FULL) as venue:
        settings = {"upstream": venue.url, "key": venue.key, "secret": venue.secret, "waits": QUICK}
        with Proxy(**settings) as proxy:
            yield venue, proxy


def bars_through(proxy: Proxy, **settings: Any) -> AlpacaBars:
    access = {"base_url": proxy.url, "key": proxy.key, "secret": proxy.secret}
    return AlpacaBars(list(FULL), progress=False, cache=False, **access, **settings)


def test_our_bars_come_through_it_with_the_address_alone() -> None:
    """Live and from history, as they come without it."""
    with proxied_sandbox() as (venue, proxy):

        async def scene() -> Any:
            async with listening(venue, bars_through(proxy)) as stage:
                await stage.step(4)
                return stage.bars

        assert asyncio.run(scene()) == live_feed.played(venue)
        found = bars_through(proxy).before(venue.market.now(), 10)
        assert {name: len(each) for name, each in found.items()} == {"SPY": 4, "IBM": 4}


def test_our_bars_are_whole_though_the_line_upstream_breaks() -> None:
    """What the proxy makes good and what the adapter asks of history itself come to each bar once."""
    with proxied_sandbox() as (venue, proxy):

        async def scene() -> Any:
            async with listening(venue, bars_through(proxy)) as stage:
                await stage.step()
                venue.fault("drop", stream="data")
                for _ in range(3):
                    await stage.play()
                await stage.until(lambda: sum(map(len, stage.bars.values())) == 8)
                return stage.bars

        assert asyncio.run(scene()) == live_feed.played(venue)
        assert proxy.figures()["/v2/iex"]["reconnects_total"] == 1


async def listened(socket: ClientConnection, count: int) -> list[tuple[str, str, float]]:
    found: list[tuple[str, str, float]] = []
    while len(found) < count:
        found += [(each["S"], each["t"], each["c"]) for each in json.loads(await socket.recv())]
    return found


async def said(socket: ClientConnection, message: dict[str, Any]) -> dict[str, Any]:
    await socket.send(json.dumps(message))
    [answer] = json.loads(await socket.recv())
    return dict(answer)


def test_crowd_of_clients_each_hear_their_own() -> None:
    """As many as one asks for, with random lists over twenty symbols; a third of them leaves on the way."""
    names = [f"S{number}" for number in range(20)]
    chance = random.Random(7)
    lists = [sorted(chance.sample(names, 5)) for _ in range(CROWD)]
    with proxied({name: [100.0 + at for at in range(12)] for name in names}) as front:

        async def scene() -> list[list[tuple[str, str, float]]]:
            sockets = [await connect(front.proxy.websocket + "/v2/iex") for _ in lists]
            for socket, own in zip(sockets, lists, strict=True):
                await socket.recv()
                assert (await said(socket, front.auth))["msg"] == "authenticated"
                assert (await said(socket, {"action": "subscribe", "bars": own}))["bars"] == own
            await asyncio.to_thread(front.venue.step, 6)
            await asyncio.gather(*(each.close() for each in sockets[::3]))
            await asyncio.to_thread(front.venue.step, 6)
            staying = [each for at, each in enumerate(sockets) if at % 3]
            found = await asyncio.gather(*(listened(each, 60) for each in staying))
            await asyncio.gather(*(each.close() for each in staying))
            return list(found)

        told = asyncio.run(scene())
        tape = front.venue.market.tape
        for own, found in zip((each for at, each in enumerate(lists) if at % 3), told, strict=True):
            for name in own:
                closes = [tape.ended(name, moment(end)).close for end in tape.known(name, front.venue.market.now()).end]
                assert [close for symbol, _, close in found if symbol == name] == closes
            assert {symbol for symbol, _, _ in found} == set(own)
        assert front.venue.market.sent["data"] == 12 * len({name for own in lists for name in own})
