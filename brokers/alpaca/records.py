"""What Alpaca's sandbox tells of the account beside its orders: pure, from the book to JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np

from brokers.alpaca.book import Book
from brokers.alpaca.entries import Entry, asset_id, identity, number, stamp
from brokers.alpaca.limits import buying_power, held_for_orders
from brokers.alpaca.protocol import is_crypto
from brokers.alpaca.refusals import BAD, NEW_YORK, NOT_FOUND, Refusal
from brokers.alpaca.settings import Conversion, Execution
from framework.columns import moment
from framework.sandbox.tape import Tape

CREATED = "2026-01-02T15:00:00Z"


def money(value: float) -> str:
    """Return an amount as the account shows it: at most two decimals."""
    return number(round(value, 2)) or "0"


def account(book: Book) -> dict[str, Any]:
    """Return the account; before July 2026 it had the fields of the pattern-day-trader rule."""
    values = {symbol: each.size * book.price(symbol) for symbol, each in book.account.holdings.items()}
    long, short = (sum(each for each in values.values() if each * sign > 0) for sign in (1, -1))
    gross, equity, power = long - short, book.equity, buying_power(book)
    own = book.settings
    shown = {
        "id": identity("account", book.seed),
        "account_number": f"PA{book.seed:010d}",
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "currency": "USD",
        "cash": money(book.account.cash),
        "portfolio_value": money(equity),
        "equity": money(equity),
        "last_equity": money(book.last_equity),
        "buying_power": money(power),
        "regt_buying_power": money(power),
        "effective_buying_power": money(power),
        "non_marginable_buying_power": money(max(0.0, book.account.cash)),
        "options_buying_power": money(max(0.0, book.account.cash)),
        "bod_dtbp": "0",
        "long_market_value": money(long),
        "short_market_value": money(short),
        "position_market_value": money(gross),
        "initial_margin": money(gross / own.multiplier),
        "maintenance_margin": money(gross * 0.3),
        "last_maintenance_margin": "0",
        "sma": "0",
        "multiplier": str(own.multiplier),
        "accrued_fees": "0",
        "pending_transfer_in": "0",
        "pending_transfer_out": "0",
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": bool(book.configuration["suspend_trade"]),
        "shorting_enabled": own.multiplier > 1 and not book.configuration["no_shorting"],
        "created_at": CREATED,
        "options_approved_level": 0,
        "options_trading_level": 0,
    }
    old = {"pattern_day_trader": False, "daytrade_count": 0, "daytrading_buying_power": money(power)}
    return {**shown, **old} if own.old_account else shown


def positions(book: Book) -> list[dict[str, Any]]:
    """Return every open position."""
    return [position(book, symbol) for symbol, each in sorted(book.account.holdings.items()) if each.size]


def position(book: Book, name: str) -> dict[str, Any]:
    """Return the position of a symbol (BTC/USD and BTCUSD are one) or of an asset's id."""
    symbol = symbol_of(book, name)
    held = book.account.holding(symbol)
    if not held.size:
        raise Refusal(404, NOT_FOUND, f"position does not exist: {name}")
    price, sign = book.price(symbol), 1 if held.size > 0 else -1
    before = book.last_close.get(symbol, price)
    cost, value = held.size * held.price, held.size * price
    gain, today = value - cost, held.size * (price - before)
    reserved = sum(each.left for each in held_for_orders(book, symbol, "sell" if sign > 0 else "buy"))
    return {
        "asset_id": asset_id(symbol),
        "symbol": symbol.replace("/", ""),
        "exchange": "CRYPTO" if is_crypto(symbol) else "NASDAQ",
        "asset_class": "crypto" if is_crypto(symbol) else "us_equity",
        "asset_marginable": not is_crypto(symbol),
        "qty": number(held.size),
        "qty_available": number(held.size - sign * min(reserved, abs(held.size))),
        "avg_entry_price": number(held.price),
        "side": "long" if sign > 0 else "short",
        "market_value": number(value),
        "cost_basis": number(cost),
        "unrealized_pl": number(gain),
        "unrealized_plpc": number(gain / abs(cost)),
        "unrealized_intraday_pl": number(today),
        "unrealized_intraday_plpc": number(today / abs(held.size * before)),
        "current_price": number(price),
        "lastday_price": number(before),
        "change_today": number(price / before - 1),
    }


def orders(book: Book, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return orders by status, symbol, side and time; `nested` hangs legs under their parents."""
    nested = query.get("nested", "false").lower() == "true"
    status, symbols = query.get("status") or "open", {each for each in query.get("symbols", "").split(",") if each}
    if status not in ("open", "closed", "all"):
        raise Refusal(422, 42210000, f"invalid status: {status}")
    pool = book.live if status == "open" else book.entries.values()
    found = [each for each in pool if _is_listed(each, status) and not (nested and each.parent)]
    found = [each for each in found if not symbols or each.symbol in symbols]
    found = [each for each in found if query.get("side") in (None, "", each.side)]
    if after := query.get("after"):
        found = [each for each in found if each.created_at > moment_of(after)]
    if until := query.get("until"):
        found = [each for each in found if each.created_at < moment_of(until)]
    found.sort(key=lambda each: each.place, reverse=query.get("direction", "desc") != "asc")
    shown = found[: min(whole(query, "limit", 50), 500)]
    return [each.shown(book.entries if nested else None) for each in shown]


def _is_listed(entry: Entry, status: str) -> bool:
    """A held order is neither open nor closed: it is listed among all."""
    return status == "all" or (entry.status != "held" and entry.is_live == (status == "open"))


def symbol_of(book: Book, name: str) -> str:
    """Return the symbol that a path names: as it is, without its slash, or by the asset's id."""
    for symbol in book.tape.symbols:
        if name in (symbol, symbol.replace("/", ""), asset_id(symbol)):
            return symbol
    return name


def assets(book: Book, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the assets of the tape, by class and status."""
    found = [asset(book, symbol) for symbol in book.tape.symbols]
    wanted = {"class": query.get("asset_class"), "status": query.get("status"), "exchange": query.get("exchange")}
    return [each for each in found if all(value in (None, each[key]) for key, value in wanted.items())]


def asset(book: Book, name: str) -> dict[str, Any]:
    """Return one asset."""
    symbol = symbol_of(book, name)
    if symbol not in book.tape.symbols:
        raise Refusal(404, NOT_FOUND, f"asset not found for {name}")
    crypto = is_crypto(symbol)
    borrowable = not crypto and symbol not in book.settings.hard_to_borrow
    shown: dict[str, Any] = {
        "id": asset_id(symbol),
        "class": "crypto" if crypto else "us_equity",
        "exchange": "CRYPTO" if crypto else "NASDAQ",
        "symbol": symbol,
        "name": f"{symbol} (sandbox)",
        "status": "active",
        "tradable": True,
        "marginable": not crypto,
        "shortable": borrowable,
        "easy_to_borrow": borrowable,
        "fractionable": symbol not in book.settings.whole_only,
        "maintenance_margin_requirement": 100 if crypto else 30,
        "attributes": [],
    }
    sizes = {"min_order_size": "0.0001", "min_trade_increment": "0.000000001", "price_increment": "0.000000001"}
    return {**shown, **sizes} if crypto else shown


def clock(tape: Tape, at: datetime) -> dict[str, Any]:
    """Return the market's clock, in New York time."""
    opens, closes = tape.session(at)
    is_open = opens <= at
    following = tape.session(closes)[0] if is_open else opens
    local = {"timestamp": at, "next_open": following, "next_close": closes}
    return {"is_open": is_open, **{key: each.astimezone(NEW_YORK).isoformat() for key, each in local.items()}}


def calendar(tape: Tape, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the trading days of a range of dates, both ends in it."""
    sessions = tape.calendar.sessions
    first = np.searchsorted(sessions.days, np.datetime64(_day(query.get("start"), date(1990, 1, 1))))
    after = np.searchsorted(sessions.days, np.datetime64(_day(query.get("end"), date(2029, 12, 31))), side="right")
    return [_trading_day(tape, index) for index in range(int(first), min(int(after), len(sessions.days) - 1))]


def _trading_day(tape: Tape, index: int) -> dict[str, Any]:
    sessions = tape.calendar.sessions
    opens, closes = (moment(each[index]).astimezone(NEW_YORK) for each in (sessions.opens, sessions.closes))
    return {
        "date": str(sessions.days[index]),
        "open": f"{opens:%H:%M}",
        "close": f"{closes:%H:%M}",
        "session_open": "0400",
        "session_close": "1700" if closes.hour < 16 else "2000",
        "settlement_date": str(sessions.days[index + 1]),
    }


def _day(text: str | None, default: date) -> date:
    try:
        return date.fromisoformat(text[:10]) if text else default
    except ValueError:
        raise Refusal(422, 42210000, f"invalid date: {text}") from None


def activities(book: Book, query: Mapping[str, str], kind: str | None = None) -> list[dict[str, Any]]:
    """Return the account's activities: fills and splits, newest first, a page at a time after `page_token`."""
    wanted = {each for each in (kind or query.get("activity_types", "")).split(",") if each}
    lower, upper = (moment_of(query[name]) if query.get(name) else None for name in ("after", "until"))
    told = [(each.at, str(each.at.astimezone(UTC).date()), activity(book, each)) for each in book.executions]
    for done in book.conversions:
        day = datetime.combine(done.day, time(), NEW_YORK)
        told += [(day, str(done.day), each) for each in split_activities(book, done)]
    found = [
        shown
        for at, day_told, shown in sorted(told, key=lambda each: each[0])
        if (not wanted or shown["activity_type"] in wanted)
        and _is_of(shown, query.get("category"))
        and query.get("date") in (None, day_told)
        and (lower is None or at > lower)
        and (upper is None or at < upper)
    ]
    if query.get("direction", "desc") == "desc":
        found.reverse()
    token = query.get("page_token")
    ids = [each["id"] for each in found]
    first = ids.index(token) + 1 if token in ids else 0
    return found[first : first + min(whole(query, "page_size", 100), 100)]


def _is_of(shown: Mapping[str, Any], category: str | None) -> bool:
    """Return whether an activity is of a category, "trade_activity" or "non_trade_activity"; None is both."""
    if category not in (None, "trade_activity", "non_trade_activity"):
        raise Refusal(422, 42210000, f"invalid category: {category}")
    return category is None or (category == "trade_activity") == (shown["activity_type"] == "FILL")


def split_activities(book: Book, done: Conversion) -> list[dict[str, Any]]:
    """Return a split as the activities that tell of it.

    A guess: Alpaca documents what an activity that is no trade has, and not how it fills that for a split. Whether
    it tells the difference or the two positions is not known either; `Settings.split_in_two` is the other way.
    """
    after = (done.after, done.price)
    if not book.settings.split_in_two:
        return [_split_activity(done, 0, done.after - done.before, after)]
    before = (done.before, done.price * done.after / done.before if done.before else done.price)
    return [
        _split_activity(done, number_, sign * size, (size, price))
        for number_, (sign, (size, price)) in enumerate(((-1, before), (1, after)))
    ]


def _split_activity(done: Conversion, place: int, quantity: float, held: tuple[float, float]) -> dict[str, Any]:
    return {
        "id": f"{done.day:%Y%m%d}000000000::{identity(done.id, place)}",
        "activity_type": "SPLIT",
        "date": str(done.day),
        "net_amount": "0",
        "symbol": done.symbol,
        "qty": number(quantity),
        "price": number(held[1]),
        "description": f"split of {done.symbol}: {number(done.before)} are {number(done.after)}",
        "status": "executed",
    }


def activity(book: Book, done: Execution) -> dict[str, Any]:
    """Return a fill as an activity."""
    entry = book.entries[done.entry]
    return {
        "id": f"{done.at:%Y%m%d%H%M%S}000::{done.id}",
        "activity_type": "FILL",
        "transaction_time": stamp(done.at),
        "type": "fill" if done.is_last else "partial_fill",
        "price": number(done.price),
        "qty": number(done.quantity),
        "side": entry.side,
        "symbol": entry.symbol,
        "leaves_qty": number(max(0.0, (entry.qty or 0.0) - done.total)),
        "cum_qty": number(done.total),
        "order_id": entry.id,
        "order_status": "filled" if done.is_last else "partially_filled",
    }


def whole(query: Mapping[str, str], key: str, default: int) -> int:
    """Read a whole number of a query."""
    text = query.get(key) or str(default)
    if not text.isdigit():
        raise Refusal(422, 42210000, f"invalid {key}: {text}")
    return int(text)


def fraction(query: Mapping[str, str], key: str) -> float | None:
    """Read a number of a query, None where it is not there."""
    try:
        return float(query[key]) if key in query else None
    except ValueError:
        raise Refusal(422, 42210000, f"invalid {key}: {query[key]}") from None


def moment_of(text: str) -> datetime:
    """Read a time of a query; one without a zone is UTC."""
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise Refusal(422, 42210000, f"invalid time: {text}") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


_STEPS = {"1Min": 1, "5Min": 5, "15Min": 15, "1H": 60, "1D": 24 * 60}


def portfolio_history(book: Book, query: Mapping[str, str]) -> dict[str, Any]:
    """Return the equity over the session, one point for each step of `timeframe` in which it was known."""
    timeframe = query.get("timeframe") or "1Min"
    if timeframe not in _STEPS:
        raise Refusal(422, BAD, f"invalid timeframe: {timeframe}")
    step = timedelta(minutes=_STEPS[timeframe])
    points: dict[int, float] = {}
    for at, equity in book.equities:
        begun = at - timedelta(microseconds=1)
        points[int(begun.timestamp() // step.total_seconds() * step.total_seconds())] = equity
    base = book.settings.cash
    return {
        "timestamp": list(points),
        "equity": [round(each, 2) for each in points.values()],
        "profit_loss": [round(each - base, 2) for each in points.values()],
        "profit_loss_pct": [round(each / base - 1, 6) for each in points.values()],
        "base_value": base,
        "timeframe": timeframe,
        "cashflow": {},
    }
