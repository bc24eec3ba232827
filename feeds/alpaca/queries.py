"""What a request for market data asks: its parameters read and checked, in Alpaca's words where they are known. Pure.

The bodies of refusals are those that Alpaca was seen to send: a message without a code, status 400.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from feeds.alpaca import protocol
from feeds.alpaca.pages import Position
from feeds.alpaca.plans import RECENT, Plan
from framework.errors import ConfigError
from framework.model import Timeframe, Unit

FEEDS = (*protocol.FEEDS, "boats", "overnight")

LONGEST_PAGE, USUAL_PAGE = 10_000, 1_000

_RANGE = {"start", "end", "limit", "sort", "page_token"}
_KNOWN = {
    "stocks": {"symbols", "feed", "currency"},
    "crypto": {"symbols"},
}
_ONLY_STOCKS = {"asof"}

_TIMEFRAME = re.compile(r"(\d*)(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_UNITS = {"T": Unit.MINUTE, "H": Unit.HOUR, "D": Unit.DAY, "W": Unit.WEEK, "M": Unit.MONTH}
_AMOUNTS = {
    Unit.MINUTE: range(1, 60),
    Unit.HOUR: range(1, 24),
    Unit.DAY: (1,),
    Unit.WEEK: (1,),
    Unit.MONTH: (1, 2, 3, 4, 6, 12),
}

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


class Refused(Exception):
    """A request is answered with this status and body instead."""

    def __init__(self, status: int, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"message": message} if code is None else {"code": code, "message": message}


@dataclass(frozen=True, slots=True)
class Query:
    """A request for points: those of `symbols` (in order) with `start` <= t <= `end`, as known at `known_at`."""

    symbols: tuple[str, ...]
    start: datetime
    end: datetime
    known_at: datetime
    limit: int
    is_descending: bool
    position: Position
    feed: str
    timeframe: Timeframe | None = None
    currency: str | None = None
    adjusts_splits: bool = False


@dataclass(frozen=True, slots=True)
class Latest:
    """A request for the latest of each symbol, as known at `known_at`."""

    symbols: tuple[str, ...]
    known_at: datetime
    feed: str
    currency: str | None = None


def read_range(
    parameters: Mapping[str, str], kind: str, now: datetime, plan: Plan, *, crypto: bool, symbol: str | None = None
) -> Query:
    """Return what is asked of a range of "bars", "quotes" or "trades"; raise `Refused` where it cannot be."""
    own = {"timeframe"} | (set() if crypto else {"adjustment"}) if kind == "bars" else set()
    extra = set() if crypto else _ONLY_STOCKS
    _check_names(parameters, _RANGE | own | extra | _names(crypto=crypto))
    symbols = _symbols(parameters, crypto=crypto, symbol=symbol)
    timeframe = read_timeframe(_required(parameters, "timeframe")) if kind == "bars" else None
    adjustment = _adjustment(parameters.get("adjustment", "raw"))
    _check_asof(parameters.get("asof"))
    zone = ZoneInfo("UTC" if crypto else "America/New_York")
    feed = _feed(parameters, "sip", crypto=crypto)
    withheld = _withheld(feed, now, plan)
    today = datetime.combine(withheld.astimezone(zone), time(), zone).astimezone(UTC)
    start, end = (_instant(parameters, name, zone) for name in ("start", "end"))
    if feed == "sip" and end is not None and end > withheld:
        raise Refused(403, "subscription does not permit querying recent SIP data")
    start, end = start or min(today, end or today), end or withheld
    if end < start and "end" in parameters:
        raise Refused(400, "end should not be before start")
    return Query(
        symbols=symbols,
        start=start,
        end=end,
        known_at=withheld,
        limit=_limit(parameters),
        is_descending=_is_descending(parameters),
        position=_position(parameters),
        feed=feed,
        timeframe=timeframe,
        currency=_currency(parameters),
        adjusts_splits=not {"split", "all"}.isdisjoint(adjustment.split(",")),
    )


def read_latest(
    parameters: Mapping[str, str], now: datetime, plan: Plan, *, crypto: bool, symbol: str | None = None
) -> Latest:
    """Return whose latest is asked; raise `Refused` where it cannot be."""
    _check_names(parameters, _names(crypto=crypto))
    symbols = _symbols(parameters, crypto=crypto, symbol=symbol)
    feed = _feed(parameters, "sip" if plan.has_sip else "iex", crypto=crypto)
    if feed == "sip" and not plan.has_sip:
        raise Refused(403, "subscription does not permit querying recent SIP data")
    return Latest(symbols, _withheld(feed, now, plan), feed, _currency(parameters))


def read_timeframe(text: str) -> Timeframe:
    """Read Alpaca's own spellings, where M is a month; raise `Refused` for what it does not make."""
    match = _TIMEFRAME.fullmatch(text)
    unit = match and (_UNITS.get(match[2]) or Unit(match[2]))
    amount = int(match[1] or 1) if match else 0
    if not unit or amount not in _AMOUNTS[unit]:
        raise Refused(400, f"invalid timeframe: {text}")
    return Timeframe(amount, unit)


def _names(*, crypto: bool) -> set[str]:
    return _KNOWN["crypto" if crypto else "stocks"]


def _check_names(parameters: Mapping[str, str], known: set[str]) -> None:
    unknown = [name for name in parameters if name not in known]
    if unknown:
        raise Refused(400, f"unexpected parameter(s): {', '.join(sorted(unknown))}")


def _required(parameters: Mapping[str, str], name: str) -> str:
    if not parameters.get(name):
        raise Refused(400, f"Invalid format for parameter {name}: query parameter '{name}' is required")
    return parameters[name]


def _symbols(parameters: Mapping[str, str], *, crypto: bool, symbol: str | None) -> tuple[str, ...]:
    asked = {symbol} if symbol else {each.strip() for each in _required(parameters, "symbols").split(",")}
    for each in asked:
        try:
            is_pair = protocol.is_crypto([each])
        except ConfigError:
            is_pair = not crypto
        if is_pair != crypto:
            shape = f"Invalid symbol(s): {each} does not match ^[A-Z]+/[A-Z]+$"
            raise Refused(400, shape if crypto else f"invalid symbol: {each}")
    return tuple(sorted(asked))


def _feed(parameters: Mapping[str, str], usual: str, *, crypto: bool) -> str:
    if crypto:
        return "us"
    feed = parameters.get("feed", usual)
    if feed not in FEEDS:
        raise Refused(400, f"invalid feed: {feed}")
    return feed


def _withheld(feed: str, now: datetime, plan: Plan) -> datetime:
    """Return the instant after which a plan does not see a feed."""
    is_late = feed == "delayed_sip" or (feed == "sip" and not plan.has_sip)
    return now - RECENT if is_late else now


def _instant(parameters: Mapping[str, str], name: str, zone: ZoneInfo) -> datetime | None:
    """Read an RFC 3339 time, or a day: of its beginning, and for the end of its last microsecond."""
    text = parameters.get(name)
    if text is None:
        return None
    try:
        if _RFC3339.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone)
    except (ValueError, OverflowError):
        raise Refused(
            400,
            f"Invalid format for parameter {name}: error parsing '{text}' as RFC3339 or 2006-01-02 time: "
            f'parsing time "{text}" as "2006-01-02": cannot parse "{text}" as "2006"',
        ) from None
    if name == "end":
        day += timedelta(days=1)
        return day.astimezone(UTC) - timedelta(microseconds=1)
    return day.astimezone(UTC)


def _limit(parameters: Mapping[str, str]) -> int:
    text = parameters.get("limit", str(USUAL_PAGE))
    if not text.isdecimal() or not 1 <= int(text) <= LONGEST_PAGE:
        raise Refused(400, f"invalid limit: {text}; it goes from 1 to {LONGEST_PAGE}")
    return int(text)


def _is_descending(parameters: Mapping[str, str]) -> bool:
    sort = parameters.get("sort", "asc")
    if sort not in ("asc", "desc"):
        raise Refused(400, f"invalid sort: {sort}")
    return sort == "desc"


def _position(parameters: Mapping[str, str]) -> Position:
    try:
        return Position.read(parameters.get("page_token", ""))
    except ValueError:
        raise Refused(400, "invalid page token") from None


def _adjustment(text: str) -> str:
    try:
        return protocol.check_adjustment(text)
    except ConfigError:
        raise Refused(400, f"invalid adjustment: {text}") from None


def _check_asof(text: str | None) -> None:
    if text in (None, "-"):
        return
    try:
        date.fromisoformat(str(text))
    except ValueError:
        raise Refused(400, f"Invalid format for parameter asof: error parsing '{text}' as 2006-01-02 time") from None


def _currency(parameters: Mapping[str, str]) -> str | None:
    """Return the currency asked for; the sandbox's tape is in dollars and is not converted."""
    currency = parameters.get("currency")
    if currency not in (None, "USD"):
        raise Refused(400, f"invalid currency: {currency}")
    return currency
