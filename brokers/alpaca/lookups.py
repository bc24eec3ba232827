"""What the account and the venue look like, over HTTP: snapshots, histories, assets, hours. Pure generators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from brokers.alpaca.amounts import number
from brokers.alpaca.answers import Ground, decoded, refused
from brokers.alpaca.closing import NEW_YORK
from brokers.alpaca.endpoint import Endpoint, part
from brokers.alpaca.reports import instant, read_order
from feeds.alpaca.protocol import NAME
from framework.errors import ProtocolError
from framework.model import Position, Snapshot
from framework.wire import Exchange

ORDERS_PAGE = 500
ACTIVITIES_PAGE = 100

QUOTES = ("USDT", "USDC", "USD", "BTC")
"""What crypto is paid with, the longer first: positions bear BTCUSD where orders bear BTC/USD."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account's figures; `bar` is why it cannot trade, or empty. `orders` are its open ones, as JSON.

    `crypto` is what Alpaca says of trading crypto, ACTIVE where that is allowed.
    """

    snapshot: Snapshot
    bar: str
    multiplier: float
    can_short: bool
    orders: tuple[Mapping[str, Any], ...]
    crypto: str = ""


def account(endpoint: Endpoint, at: datetime) -> Exchange[Account]:
    """Return the account, its positions and its open orders, `at` being now.

    Three requests, one after another: what happens in between is told by the stream. Raise `VenueError`.
    """
    told = decoded((yield endpoint.get("/account")), endpoint, dict)
    held = decoded((yield endpoint.get("/positions")), endpoint, list)
    orders = yield from _open_orders(endpoint)
    shown = Snapshot(
        at=at,
        account=str(told.get("account_number") or told.get("id") or ""),
        currency=str(told.get("currency") or "USD"),
        cash=_required(told, "cash"),
        equity=_required(told, "equity", "portfolio_value"),
        buying_power=_required(told, "buying_power", "cash"),
        positions=tuple(read_position(each) for each in held),
        open_orders=tuple(read_order(each).update(at) for each in orders),
    )
    multiplier = number(told, "multiplier") or 1.0
    crypto = str(told.get("crypto_status") or "")
    return Account(shown, _bar(told), multiplier, bool(told.get("shorting_enabled")), orders, crypto)


def read_position(body: Any) -> Position:
    """Read a position: a short one's quantity is negative, whatever its sign on the wire."""
    if not isinstance(body, dict):
        raise ProtocolError(NAME, f"a position that is {body!r}", body)
    size = abs(_required(body, "qty"))
    symbol = str(body.get("symbol") or "")
    if body.get("asset_class") == "crypto":
        symbol = pair(symbol)
    return Position(symbol, -size if body.get("side") == "short" else size, _required(body, "avg_entry_price"))


def pair(symbol: str) -> str:
    """Return a crypto symbol as orders and bars have it: BTCUSD is BTC/USD."""
    if "/" in symbol:
        return symbol
    quote = next((each for each in QUOTES if symbol.endswith(each) and symbol != each), "")
    return f"{symbol.removesuffix(quote)}/{quote}" if quote else symbol


def orders_after(endpoint: Endpoint, after: datetime) -> Exchange[tuple[Mapping[str, Any], ...]]:
    """Return all orders sent after an instant, open or not, the oldest first, with their legs. Raise `VenueError`."""
    found: dict[str, Mapping[str, Any]] = {}
    start = after
    while True:
        query = {"status": "all", "direction": "asc", "nested": "true", "limit": str(ORDERS_PAGE)}
        page = decoded((yield endpoint.get("/orders", after=stamp(start), **query)), endpoint, list)
        known = len(found)
        found |= _by_id(page)
        if len(page) < ORDERS_PAGE:
            return tuple(found.values())
        _check_progress(len(found) > known, page)
        start = _sent_at(page[-1]) - timedelta(microseconds=1)  # several may bear one time, across a page's edge


def fills_after(endpoint: Endpoint, after: datetime) -> Exchange[tuple[Mapping[str, Any], ...]]:
    """Return the account's fills after an instant, the oldest first, as activities. Raise `VenueError`."""
    return (yield from activities_after(endpoint, after, "/FILL"))


def activities_after(
    endpoint: Endpoint, after: datetime, kind: str = "", **wanted: str
) -> Exchange[tuple[Mapping[str, Any], ...]]:
    """Return the account's activities after an instant, the oldest first: all, or a kind ("/FILL").

    `wanted` are further parameters, such as a category. Raise `VenueError`.
    """
    found: dict[str, Mapping[str, Any]] = {}
    query = {"after": stamp(after), "direction": "asc", "page_size": str(ACTIVITIES_PAGE), **wanted}
    token: dict[str, str] = {}
    while True:
        page = decoded((yield endpoint.get(f"/account/activities{kind}", **query, **token)), endpoint, list)
        known = len(found)
        found |= _by_id(page)
        if len(page) < ACTIVITIES_PAGE:
            return tuple(found.values())
        _check_progress(len(found) > known, page)
        token = {"page_token": str(page[-1]["id"])}


@dataclass(frozen=True, slots=True)
class Asset:
    """What Alpaca says of a symbol; `smallest` and `step` are of quantities, None where it does not say."""

    symbol: str
    is_crypto: bool
    is_tradable: bool
    is_fractionable: bool
    is_shortable: bool
    smallest: float | None
    step: float | None
    tick: float | None


def asset(endpoint: Endpoint, symbol: str) -> Exchange[Asset | None]:
    """Return an asset, None where there is none of that name. Raise `VenueError`."""
    response = yield endpoint.get(f"/assets/{part(symbol)}")
    if response.status == 404 and refused(response, endpoint).ground is Ground.NOT_FOUND:
        return None
    return read_asset(decoded(response, endpoint, dict))


def assets(endpoint: Endpoint) -> Exchange[dict[str, Asset]]:
    """Return every active asset by its symbol: one request, some ten thousand of them. Raise `VenueError`."""
    told = decoded((yield endpoint.get("/assets", status="active")), endpoint, list)
    return {each.symbol: each for each in map(read_asset, told)}


def read_asset(body: dict[str, Any]) -> Asset:
    """Read an asset; classes and exchanges that are new do no harm."""
    return Asset(
        symbol=str(body.get("symbol") or ""),
        is_crypto=body.get("class") == "crypto",
        is_tradable=bool(body.get("tradable")) and body.get("status") == "active",
        is_fractionable=bool(body.get("fractionable")),
        is_shortable=bool(body.get("shortable")) and bool(body.get("easy_to_borrow")),
        smallest=number(body, "min_order_size"),
        step=number(body, "min_trade_increment"),
        tick=number(body, "price_increment"),
    )


@dataclass(frozen=True, slots=True)
class MarketClock:
    """The exchange's clock, aware UTC."""

    at: datetime
    is_open: bool
    opens_at: datetime
    closes_at: datetime


def clock(endpoint: Endpoint) -> Exchange[MarketClock]:
    """Return the venue's time, whether it trades, and when it next opens and closes. Raise `VenueError`."""
    told = decoded((yield endpoint.get("/clock")), endpoint, dict)
    times = [instant(told, key) for key in ("timestamp", "next_open", "next_close")]
    at, opens_at, closes_at = times
    if at is None or opens_at is None or closes_at is None:
        raise ProtocolError(NAME, "a clock without its times", told)
    return MarketClock(at, bool(told.get("is_open")), opens_at, closes_at)


@dataclass(frozen=True, slots=True)
class TradingDay:
    """A session of the exchange, aware UTC; the wider times are those of extended hours."""

    day: date
    opens_at: datetime
    closes_at: datetime
    extended_from: datetime
    extended_until: datetime


def calendar(endpoint: Endpoint, start: date, end: date) -> Exchange[tuple[TradingDay, ...]]:
    """Return the trading days of a range, both ends in it. Raise `VenueError`."""
    query = {"start": start.isoformat(), "end": end.isoformat()}
    return tuple(map(_trading_day, decoded((yield endpoint.get("/calendar", **query)), endpoint, list)))


def stamp(at: datetime) -> str:
    """Return a time as a query has it: RFC 3339, UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _open_orders(endpoint: Endpoint) -> Exchange[tuple[Mapping[str, Any], ...]]:
    """Return the open orders one by one, legs too. Held ones are not among them: their parents' look-ups show these.

    Not nested: a leg whose parent has filled would then be listed nowhere.
    """
    found: dict[str, Mapping[str, Any]] = {}
    until: dict[str, str] = {}
    while True:
        query = {"status": "open", "direction": "desc", "limit": str(ORDERS_PAGE)}
        page = decoded((yield endpoint.get("/orders", **query, **until)), endpoint, list)
        known = len(found)
        found |= _by_id(page)
        if len(page) < ORDERS_PAGE:
            return tuple(found.values())
        _check_progress(len(found) > known, page)
        until = {"until": stamp(_sent_at(page[-1]) + timedelta(microseconds=1))}


def _by_id(page: list[Any]) -> dict[str, Mapping[str, Any]]:
    try:
        return {str(each["id"]): each for each in page}
    except (TypeError, KeyError) as error:
        raise ProtocolError(NAME, "a list of orders or fills with one that has no id", page) from error


def _sent_at(order: Mapping[str, Any]) -> datetime:
    at = instant(order, "submitted_at") or instant(order, "created_at")
    if at is None:
        raise ProtocolError(NAME, "an order without a time, at the end of a page", order)
    return at


def _check_progress(is_more: bool, page: list[Any]) -> None:
    if not is_more:
        raise ProtocolError(NAME, f"a page of {len(page)} orders or fills leads to itself; try again later")


def _bar(told: Mapping[str, Any]) -> str:
    """Return why the account cannot trade."""
    status = str(told.get("status") or "ACTIVE")
    if status != "ACTIVE":
        return f"its status is {status}"
    flags = ("trading_blocked", "account_blocked", "trade_suspended_by_user")
    return next((each.replace("_", " ") for each in flags if told.get(each)), "")


def _required(body: dict[str, Any], *keys: str) -> float:
    found = next((value for key in keys if (value := number(body, key)) is not None), None)
    if found is None:
        raise ProtocolError(NAME, f"an account or a position without its {keys[0]}", body)
    return found


def _trading_day(body: Any) -> TradingDay:
    try:
        day = date.fromisoformat(body["date"])
        texts = (body["open"], body["close"], body.get("session_open") or "0400", body.get("session_close") or "2000")
        return TradingDay(day, *(_local(day, text) for text in texts))
    except (TypeError, KeyError, ValueError) as error:
        raise ProtocolError(NAME, f"a trading day that cannot be read: {body!r}", body) from error


def _local(day: date, text: str) -> datetime:
    """Read a New York time, written "09:30", or "0400"."""
    digits = text.replace(":", "")
    return datetime.combine(day, time(int(digits[:2]), int(digits[2:])), NEW_YORK).astimezone(UTC)
