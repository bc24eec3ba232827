"""Prices as the sandbox's ALGOGENE tells them: history, quotes, instruments. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from brokers.algogene.sandbox_board import Board, spans, until
from brokers.algogene.sandbox_entries import stamp
from brokers.algogene.sandbox_requests import Refusal
from brokers.algogene.settings import Settings
from feeds.algogene.history import INTERVALS, PAGE
from framework.columns import Columns, moment
from framework.model import Quote, Unit

_LENGTHS = {Unit.MINUTE: timedelta(minutes=1), Unit.HOUR: timedelta(hours=1), Unit.DAY: timedelta(days=1)}

INTERVAL = {
    letter if amount == 1 else f"{letter}{amount}": _LENGTHS[unit] * amount
    for unit, (letter, amounts) in INTERVALS.items()
    for amount in amounts
}


def history(board: Board, query: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Answer `history_price`: bars that end before `timestamp`, ascending, by their closing times; raise `Refusal`."""
    name, spelled = query.get("instrument", ""), query.get("interval", "")
    if name not in board.names or spelled not in INTERVAL:
        raise Refusal(f"invalid instrument or interval: {name} {spelled}")
    count = query.get("count", "")
    if not count.isdecimal() or not 1 <= int(count) <= PAGE:
        raise Refusal(f"invalid count: {count}")
    before = _time(query["timestamp"]) if query.get("timestamp") else now + timedelta(microseconds=1)
    bars = spans(board.known(name, now), INTERVAL[spelled])
    return _page(until(bars, min(before, now + timedelta(microseconds=1)))[-int(count) :])


def _page(bars: Columns) -> dict[str, Any]:
    names = {"o": bars.open, "h": bars.high, "l": bars.low, "c": bars.close, "b": bars.close, "a": bars.close}
    columns = {**names, "m": bars.close, "v": bars.volume}
    listed = {key: each.tolist() for key, each in columns.items()}
    times = [f"{moment(each):%Y-%m-%d %H:%M:%S}" for each in bars.end]
    found = [{"t": at, **{key: listed[key][row] for key in listed}} for row, at in enumerate(times)]
    return {"count": len(found), "res": found}


def shown(quote: Quote, broker: str, *, is_named: bool = True) -> dict[str, Any]:
    """Return a quote as it is told: flat, without a message id; outside of its name in `realtime_price`."""
    sides = {"bid": (quote.bid, quote.bid_size), "ask": (quote.ask, quote.ask_size)}
    told: dict[str, Any] = {"timestamp": stamp(quote.at)}
    for side, (price, size) in sides.items():
        told |= {f"{side}Price": price, f"{side}Size": size, f"{side}OrderBook": [[price, size]]}
    return {**told, "symbol": quote.symbol, "broker": broker} if is_named else told


def last_quotes(board: Board, names: Sequence[str], now: datetime) -> dict[str, Quote]:
    """Return the last quote of each instrument; raise `Refusal` for one that there is not."""
    found: dict[str, Quote] = {}
    for name in names:
        last = board.last(name, now) if name in board.names else None
        if last is None:
            raise Refusal(f"invalid symbol: {name}")
        found[name] = board.quotes(last)[-1]
    return found


def instrument(board: Board, settings: Settings, name: str) -> dict[str, Any]:
    """Return what is told of an instrument; raise `Refusal` for one that there is not."""
    if name not in board.names:
        raise Refusal(f"invalid instrument: {name}")
    is_crypto = board.is_crypto(name)
    return {
        "instrument": name,
        "symbol": name,
        "market": "CRYTO" if is_crypto else "EQ",
        "producttype": "SPOT",
        "contractSize": settings.contracts.get(name, 1.0),
        "settleCurrency": settings.currency,
        "description": f"{name} of the sandbox",
    }


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(f"invalid timestamp: {text}") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
