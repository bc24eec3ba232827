"""Which proxy a program goes through, and what it asks it first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from brokers import AlpacaVenue
from brokers.alpaca.via import account_checked
from feeds import AlpacaBars
from feeds.alpaca.protocol import DATA_URL
from feeds.alpaca.subscriptions import ENDPOINTS
from feeds.alpaca.via import Via, data_checked, stream_checked, told, via
from framework.app.proxy import Proxy
from framework.app.sandbox import Sandbox
from framework.config import Credentials
from framework.errors import ConfigError, ConnectionLost, SwitchbackError
from framework.wire import Exchange, HttpResponse

URL = "http://127.0.0.1:8765"
KEYS = {"SWITCHBACK_PROXY_KEY": "PXlocal", "SWITCHBACK_PROXY_SECRET": "hush-hush"}
HERE = Via(URL, Credentials("PXlocal", "hush-hush"))


def answered(exchange: Exchange[Any], status: int, body: Any) -> Any:
    """Answer an exchange's one question."""
    next(exchange)
    with pytest.raises(StopIteration) as done:
        exchange.send(HttpResponse(status, {}, json.dumps(body).encode()))
    return done.value.value


def refused(exchange: Exchange[Any], status: int, body: Any = None) -> str:
    """Return what is said of an answer."""
    next(exchange)
    with pytest.raises(SwitchbackError) as error:
        exchange.send(HttpResponse(status, {}, json.dumps(body).encode()))
    assert "hush" not in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


# -- which


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        (None, {}, None),
        (None, {"SWITCHBACK_PROXY": "", **KEYS}, None),
        (None, {"SWITCHBACK_PROXY": URL, **KEYS}, URL),
        (False, {"SWITCHBACK_PROXY": URL, **KEYS}, None),
        ("http://127.0.0.1:9/", {"SWITCHBACK_PROXY": URL, **KEYS}, "http://127.0.0.1:9"),
    ],
)
def test_argument_goes_before_the_environment(given: Any, environ: Mapping[str, str], expected: str | None) -> None:
    """And False is none, whatever is in it."""
    found = via(given, environ)
    assert (found.url if found else None) == expected


def test_proxy_that_runs_here_brings_its_own_key() -> None:
    """As the context manager of a notebook does."""
    with Sandbox() as sandbox, Proxy(upstream=sandbox.url, key=sandbox.key, secret=sandbox.secret) as proxy:
        found = via(proxy, {})
    assert found == Via(proxy.url, Credentials(proxy.key, proxy.secret))
    assert proxy.secret not in repr(found)


@pytest.mark.parametrize("make", [lambda proxy: AlpacaBars("SPY", proxy=proxy), lambda proxy: AlpacaVenue(proxy=proxy)])
@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("127.0.0.1:8765", 'proxy is not an address that can be used; try proxy="http://127.0.0.1:8000"'),
        ("http://example.com", "proxy http://example.com would send the keys in the clear"),
        (True, "proxy=True does not say which; give its address"),
    ],
)
def test_what_can_be_no_proxy_is_said_at_once(make: Any, proxy: Any, said: str) -> None:
    """In the caller's own line."""
    with pytest.raises(ConfigError, match=f"^{said.replace('(', '.')}"):
        make(proxy)


def test_proxy_without_its_key_is_said(tmp_path: Path) -> None:
    """With the names of what to set."""
    with pytest.raises(ConfigError, match="set SWITCHBACK_PROXY_KEY and SWITCHBACK_PROXY_SECRET"):
        via(URL, {"XDG_CONFIG_HOME": str(tmp_path)})


# -- what it is asked


def test_questions_carry_the_local_key() -> None:
    """The account's own stays where it is."""
    request = next(told(HERE, "/_proxy/data"))
    assert request.headers == {"APCA-API-KEY-ID": "PXlocal", "APCA-API-SECRET-KEY": "hush-hush"}


def test_proxy_that_is_not_there_is_said() -> None:
    """With how to start it."""
    exchange = told(HERE, "/_proxy/data")
    next(exchange)
    with pytest.raises(ConfigError, match=f"no proxy answers at {URL}; start it: switchback proxy, or unset"):
        exchange.throw(ConnectionLost("Alpaca", "no connection"))


def test_proxy_whose_own_line_is_down_is_asked_again() -> None:
    """Waiting cures it."""
    exchange = told(HERE, "/_proxy/account")
    next(exchange)
    with pytest.raises(ConnectionLost):
        exchange.send(HttpResponse(502, {}, b"{}"))


def test_what_is_no_proxy_is_said() -> None:
    """A sandbox, say, or something that answers everything with 200."""
    assert "is no proxy that can be used for this (HTTP 404)" in refused(told(HERE, "/_proxy/data"), 404)
    assert "is no proxy that can be used for this (HTTP 200)" in refused(told(HERE, "/_proxy/data"), 200, ["yes"])
    assert "does not know this key and secret" in refused(told(HERE, "/_proxy/data"), 401, {})


def test_data_of_another_server_are_refused() -> None:
    """A sandbox's bars must not be kept as Alpaca's, nor traded on."""
    answered(data_checked(HERE, DATA_URL), 200, {"url": DATA_URL, "feed": "iex"})
    said = refused(data_checked(HERE, DATA_URL), 200, {"url": "http://127.0.0.1:1", "feed": "iex"})
    assert f"has the data of http://127.0.0.1:1, not of {DATA_URL}" in said


def test_stream_of_another_feed_is_refused() -> None:
    """But for those that come whatever its feed is."""
    has = {"url": DATA_URL, "feed": "sip"}
    for endpoint in ENDPOINTS:
        checked = stream_checked(HERE, DATA_URL, endpoint)
        if endpoint.stream == "data" and endpoint.feed != "sip":
            assert f"has the stream of sip, not of {endpoint.feed}" in refused(checked, 200, has)
        else:
            answered(checked, 200, has)


def test_orders_of_another_account_are_refused() -> None:
    """Numbers are told by their last four digits."""
    here = {"url": "https://paper-api.alpaca.markets", "account": "PA3000001111"}
    answered(account_checked(HERE, here["url"], here["account"]), 200, here)
    said = refused(account_checked(HERE, here["url"], "PA3000002222"), 200, here)
    assert "the account that ends in 1111" in said
    assert "ends in 2222" in said
    assert "PA300000" not in said
    assert "api.alpaca.markets" in refused(
        account_checked(HERE, "https://api.alpaca.markets", here["account"]), 200, here
    )


# -- history


def test_history_comes_through_it_and_is_kept_as_the_servers_own(tmp_path: Path) -> None:
    """So what was downloaded straight is not asked for again through a proxy."""
    day = "2026-10-05"
    with Sandbox() as sandbox, Proxy(upstream=sandbox.url, key=sandbox.key, secret=sandbox.secret) as proxy:
        sandbox.step(30)
        at = sandbox.market.now()
        asked = {"base_url": sandbox.url, "progress": False, "now": lambda: at}
        through = AlpacaBars("SPY", day, proxy=proxy, cache=tmp_path / "one", **asked)
        straight = AlpacaBars(
            "SPY", day, proxy=False, key=sandbox.key, secret=sandbox.secret, cache=tmp_path / "two", **asked
        )
        [here], [there] = through.history().values(), straight.history().values()
        assert len(here) == 30
        assert (here.close == there.close).all()
    kept = [
        sorted(each.relative_to(folder) for each in folder.rglob("*"))
        for folder in (tmp_path / "one", tmp_path / "two")
    ]
    assert kept[0] == kept[1] != []


def test_history_of_another_world_is_not_kept(tmp_path: Path) -> None:
    """A proxy before a sandbox, asked for Alpaca's own bars, is refused before anything is downloaded."""
    with Sandbox() as sandbox, Proxy(upstream=sandbox.url, key=sandbox.key, secret=sandbox.secret) as proxy:
        source = AlpacaBars("SPY", "2026-10-05", "2026-10-06", proxy=proxy, cache=tmp_path, progress=False)
        with pytest.raises(ConfigError, match=r"has the data of http://127\.0\.0\.1"):
            source.history()
    assert not [each for each in tmp_path.rglob("*") if each.suffix == ".parquet"]
