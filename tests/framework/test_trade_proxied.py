"""Sessions that share an account through a proxy: each has its own orders, limits and journal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
import requests

from brokers import AlpacaVenue
from feeds import AlpacaBars, SampleBars
from feeds.alpaca.waits import Waits
from framework import Live, run
from framework.app.proxy import Proxy
from framework.app.sandbox import Sandbox
from framework.errors import ConfigError, Unsupported
from framework.live.limits import Limits
from framework.live.stream import Pace

DAY = "2026-10-05"
DEADLINE = 60
PACE = Pace(first_wait=0.01, longest_wait=0.05)


@pytest.fixture(autouse=True)
def sessions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Journals of their own."""
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))


class Pair(bt.Strategy):
    """Buys `size` at its first live bar, ends when it and `others` are done, and buys once more before with `again`."""

    params = (("size", 1), ("own", None), ("others", ()), ("again", None))

    def __init__(self) -> None:
        self.is_live = False
        self.orders: list[tuple[str, str]] = []
        self.said: list[str] = []

    def notify_data(self, data: Any, status: int, *_: Any) -> None:
        self.is_live = self.is_live or status == data.LIVE

    def notify_store(self, message: str, *_: Any) -> None:
        self.said.append(str(message))

    def notify_order(self, order: bt.Order) -> None:
        self.orders.append((order.data._name, order.getstatusname()))
        if not order.alive():
            self.p.own.set()

    def next(self) -> None:
        if self.is_live and not self.orders:
            self.buy(size=self.p.size)
        elif self.p.again is not None and self.p.again.is_set():
            self.p.again = None
            self.p.own.clear()
            self.buy(size=self.p.size)
        elif not self.p.again and self.p.own.is_set() and all(each.is_set() for each in self.p.others):
            self.env.runstop()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SampleBars(["SPY", "IBM"], DAY, DAY), speed=600) as served:
        yield served


def proxy_of(sandbox: Sandbox, **settings: Any) -> Proxy:
    given = {"key": sandbox.key, "secret": sandbox.secret, "waits": Waits(pace=PACE), **settings}
    return Proxy(upstream=sandbox.url, **given)


def held(sandbox: Sandbox) -> dict[str, float]:
    """Return the account's positions."""
    headers = {"APCA-API-KEY-ID": sandbox.key, "APCA-API-SECRET-KEY": sandbox.secret}
    found = requests.get(f"{sandbox.url}/v2/positions", headers=headers, timeout=DEADLINE).json()
    return {each["symbol"]: float(each["qty"]) for each in found}


def start(sandbox: Sandbox, proxy: Any, name: str, symbols: list[str], **params: Any) -> Any:
    """Begin a session in the background."""
    limits = params.pop("limits", Limits())
    return run(
        Pair, source=AlpacaBars(symbols, **sandbox.access, proxy=proxy),
        venue=AlpacaVenue(**sandbox.access, proxy=proxy), warmup=0, cash=20_000.0,
        live=Live(session=name, limits=limits), background=True, **params,
    )  # fmt: skip


def test_two_sessions_share_an_account_side_by_side(sandbox: Sandbox) -> None:
    """One stream of bars and one of orders for both; each hears of its own orders and holds its own shares."""
    one, two = threading.Event(), threading.Event()
    with proxy_of(sandbox) as proxy:
        first = start(sandbox, proxy, "first", ["SPY"], size=3, own=one, others=(two,))
        limits = Limits(order_value=10.0)
        second = start(sandbox, proxy, "second", ["SPY", "IBM"], size=5, own=two, others=(one,), limits=limits)
        three = threading.Event()
        third = start(sandbox, proxy, "third", ["IBM"], size=7, own=three, others=(one, two))
        found = [each.result(DEADLINE) for each in (first, second, third)]
        figures = proxy.figures()
    assert [each.strategy.position.size for each in found] == [3, 0, 7]
    assert [each.strategy.orders[-1] for each in found] == [
        ("SPY", "Completed"), ("SPY", "Rejected"), ("IBM", "Completed"),
    ]  # fmt: skip
    assert held(sandbox) == {"SPY": 3, "IBM": 7}
    assert figures["/stream"]["reconnects_total"] == figures["/v2/iex"]["reconnects_total"] == 0


def test_session_goes_on_when_its_proxy_is_started_again(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the same address, with the same local key: it hears of bars and of its orders again."""
    monkeypatch.setenv("SWITCHBACK_PROXY_KEY", "PXlocal")
    monkeypatch.setenv("SWITCHBACK_PROXY_SECRET", "a-local-secret")
    done, again = threading.Event(), threading.Event()
    with ExitStack() as stack:
        with proxy_of(sandbox) as proxy:
            monkeypatch.setenv("SWITCHBACK_PROXY", proxy.url)
            running = start(sandbox, None, "plugged", ["SPY"], size=2, own=done, again=again)
            assert done.wait(DEADLINE)
        second = stack.enter_context(proxy_of(sandbox, port=int(proxy.url.rpartition(":")[2])))
        while not all(second.figures().get(name, {}).get("clients") for name in ("/stream", "/v2/iex")):
            assert running.is_running
            threading.Event().wait(0.01)  # it comes back by itself
        again.set()
        result = running.result(DEADLINE)
    assert result.strategy.position.size == held(sandbox)["SPY"] == 4
    assert result.strategy.orders.count(("SPY", "Completed")) == 2


# -- what is refused


def broken(sandbox: Sandbox, proxy: Any) -> str:
    """Return why a session could not begin."""
    with pytest.raises((ConfigError, Unsupported)) as refused:
        start(sandbox, proxy, "refused", ["SPY"], own=threading.Event()).result(DEADLINE)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_proxy_that_does_not_know_the_local_key_is_said(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was started again with another one, say."""
    monkeypatch.setenv("SWITCHBACK_PROXY_KEY", "PXlocal")
    monkeypatch.setenv("SWITCHBACK_PROXY_SECRET", "an-older-secret")
    with proxy_of(sandbox) as proxy:
        monkeypatch.setenv("SWITCHBACK_PROXY_SECRET", "another-secret")
        told = broken(sandbox, proxy.url)
    assert "does not know this key and secret; set SWITCHBACK_PROXY_KEY and SWITCHBACK_PROXY_SECRET" in told


def test_proxy_of_another_account_is_refused(sandbox: Sandbox) -> None:
    """Its updates would be of orders of somebody else, and no fill of ours would ever be heard."""
    with Sandbox(SampleBars(["SPY"], DAY, DAY), speed=60) as other, proxy_of(other) as proxy:
        assert "hears of the account that ends in" in broken(sandbox, proxy)


def test_proxy_without_the_feeds_stream_is_refused(sandbox: Sandbox) -> None:
    """Before a bar of another feed is taken for it."""
    with proxy_of(sandbox, feed="test") as proxy:
        assert "has the stream of test, not of iex; start it with --feed iex" in broken(sandbox, proxy)


def test_sandbox_in_lock_step_is_refused() -> None:
    """It waits for what each program has read."""
    with Sandbox(SampleBars(["SPY"], DAY, DAY)) as sandbox, proxy_of(sandbox) as proxy:
        assert "start it with --speed, or leave the proxy out" in broken(sandbox, proxy)
