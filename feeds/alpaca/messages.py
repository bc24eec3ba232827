"""What Alpaca's market data looks like on the wire: rows of answers, messages of streams, two encodings. Pure.

Rows carry times as aware datetimes; the encodings turn them into RFC 3339 text with a fraction only
where there is one, or into MessagePack's own timestamps. Source: Alpaca's reference of the v2 stock
and v1beta3 crypto data, and of its streams.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from feeds.alpaca.windows import Windows
from framework.model import Quote, Trade

Row = dict[str, Any]
"""One point as its wire names and values."""

EXCHANGES = {
    "A": "NYSE American (AMEX)",
    "B": "NASDAQ OMX BX",
    "C": "National Stock Exchange",
    "D": "FINRA ADF",
    "H": "MIAX",
    "I": "International Securities Exchange",
    "J": "Cboe EDGA",
    "K": "Cboe EDGX",
    "L": "Long Term Stock Exchange",
    "M": "Chicago Stock Exchange",
    "N": "New York Stock Exchange",
    "P": "NYSE Arca",
    "Q": "NASDAQ OMX",
    "U": "Members Exchange",
    "V": "IEX",
    "X": "NASDAQ OMX PSX",
    "Y": "Cboe BYX",
    "Z": "Cboe BZ",
}
"""What the letters of exchanges mean."""

CONDITIONS = {
    "trade": {"@": "Regular Sale", "F": "Intermarket Sweep", "I": "Odd Lot Trade", "T": "Form T"},
    "quote": {"R": "Regular Market Maker Open", "A": "Slow Quote Offer Side", "B": "Slow Quote Bid Side"},
}
"""What the letters of conditions mean: those that come from here, and their commonest neighbours."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def stamp(at: datetime) -> str:
    """Return a time as RFC 3339 in UTC, without the zeros at the end of a fraction."""
    text = at.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def as_json(message: Any) -> str:
    """Return a message as JSON text."""
    return json.dumps(message, separators=(",", ":"), default=stamp)


def as_msgpack(message: Any) -> bytes:
    """Return a message as MessagePack; times are its timestamp extension."""
    import msgpack

    packed: bytes = msgpack.packb(message, datetime=True)
    return packed


def from_json(frame: str | bytes) -> Any:
    """Read what a client sent as JSON; raise `ValueError` where it is none."""
    return json.loads(frame)


def from_msgpack(frame: str | bytes) -> Any:
    """Read what a client sent as MessagePack; raise `ValueError` where it is none."""
    import msgpack

    try:
        return msgpack.unpackb(frame if isinstance(frame, bytes) else frame.encode())
    except (msgpack.UnpackException, ValueError) as error:
        raise ValueError(f"a frame of {len(frame)} bytes is no MessagePack: {error}") from error


def size(amount: float, *, crypto: bool) -> float:
    """Return a size as it is told: shares are whole numbers where they are whole, coins are not."""
    return amount if crypto or amount != int(amount) else int(amount)


def bar_rows(bars: Windows, *, crypto: bool) -> list[Row]:
    """Return bars as rows."""
    starts = [at.replace(tzinfo=UTC) for at in bars.start.astype("datetime64[us]").tolist()]
    numbers = (getattr(bars, name).tolist() for name in ("open", "high", "low", "close", "volume", "trades", "vwap"))
    return [
        {"t": t, "o": o, "h": h, "l": low, "c": c, "v": size(v, crypto=crypto), "n": n, "vw": vw}
        for t, o, h, low, c, v, n, vw in zip(starts, *numbers, strict=True)
    ]


def bar_texts(bars: Windows, *, crypto: bool) -> list[Row]:
    """Return bars as rows whose times are text already: quicker, where there are thousands."""
    rows = bar_rows(bars, crypto=crypto)
    for row, text in zip(rows, np.datetime_as_string(bars.start, unit="s").tolist(), strict=True):
        row["t"] = text + "Z"
    return rows


def tape_of(symbol: str) -> str:
    """Return the consolidated tape of a symbol, by the length of its name: C is Nasdaq's four letters."""
    return "A" if len(symbol) < 4 else "C"


def quote_row(quote: Quote, exchange: str = "V") -> Row:
    """Return a quote as a row; crypto quotes name no exchange, condition or tape."""
    crypto = "/" in quote.symbol
    bid, ask = (size(each, crypto=crypto) for each in (quote.bid_size, quote.ask_size))
    row: Row = {"t": quote.at, "bp": quote.bid, "bs": bid, "ap": quote.ask, "as": ask}
    if not crypto:
        row |= {"bx": exchange, "ax": exchange, "c": ["R"], "z": tape_of(quote.symbol)}
    return row


def trade_id(trade: Trade) -> int:
    """Return a trade's number, which no other trade of its symbol has: its time in microseconds."""
    return (trade.at - _EPOCH) // timedelta(microseconds=1)


def trade_row(trade: Trade, exchange: str = "V") -> Row:
    """Return a trade as a row; crypto trades tell the taker's side instead of exchange, condition and tape."""
    crypto = "/" in trade.symbol
    row: Row = {"t": trade.at, "p": trade.price, "s": size(trade.size, crypto=crypto), "i": trade_id(trade)}
    if crypto:
        return row | {"tks": "B" if trade_id(trade) % 2 else "S"}
    return row | {"x": exchange, "c": ["@"], "z": tape_of(trade.symbol)}


def book_row(quote: Quote) -> Row:
    """Return a quote as an order book of one level."""
    return {"t": quote.at, "b": [{"p": quote.bid, "s": quote.bid_size}], "a": [{"p": quote.ask, "s": quote.ask_size}]}


def correction(trade: Trade, price: float, exchange: str = "V") -> Row:
    """Return the message's fields that correct the price of a trade."""
    number, amount = trade_id(trade), size(trade.size, crypto=False)
    was = {"oi": number, "op": trade.price, "os": amount, "oc": ["@"]}
    now = {"ci": number, "cp": price, "cs": amount, "cc": ["@"]}
    return {"t": trade.at, "x": exchange, **was, **now, "z": tape_of(trade.symbol)}


def cancellation(trade: Trade, exchange: str = "V") -> Row:
    """Return the message's fields that take a trade back."""
    row = trade_row(trade, exchange)
    del row["c"]
    return row | {"a": "C"}


_STATUSES = {
    "halt": {"A": ("2", "Trading Halt"), "C": ("H", "Trading Halt")},
    "resume": {"A": ("3", "Resume"), "C": ("T", "Trading Resumption")},
}


def status(symbol: str, at: datetime, kind: str) -> Row:
    """Return the message's fields of a "halt" or a "resume", in the codes of the symbol's tape."""
    tape = tape_of(symbol)
    code, text = _STATUSES[kind][tape]
    reason = ("T1", "Halt News Pending") if kind == "halt" else ("", "")
    return {"t": at, "sc": code, "sm": text, "rc": reason[0], "rm": reason[1], "z": tape}


def bands(symbol: str, at: datetime, price: float) -> Row:
    """Return the message's fields of limit up and limit down: five per cent about a price."""
    up, down = round(price * 1.05, 2), round(price * 0.95, 2)
    return {"t": at, "u": up, "d": down, "i": "B", "z": tape_of(symbol)}
