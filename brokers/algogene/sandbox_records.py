"""The account as the sandbox's ALGOGENE shows it. Pure.

The same figures bear other names in `accounts` and in `balance`; that is not ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from brokers.algogene.sandbox_book import Book, held
from brokers.algogene.sandbox_entries import stamp
from brokers.algogene.sandbox_requests import Refusal

ACCOUNT = "SANDBOX1"
"""The one account there is."""

_ACCOUNTS = {
    "NAV": "nav",
    "availableBalance": "available",
    "marginUsed": "margin",
    "realizedPL": "realized",
    "unrealizedPL": "unrealized",
}
_BALANCE = {
    "NAV": "nav",
    "available_Balance": "available",
    "margin_Used": "margin",
    "realized_PL": "realized",
    "unrealized_PL": "unrealized",
}


def listed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return rows as a list is told."""
    return {"count": len(rows), "res": rows}


def accounts(book: Book, runmode: str, at: datetime) -> dict[str, Any]:
    """Answer `accounts`."""
    own = {"accountid": ACCOUNT, "runmode": runmode, "lastUpdatedTime": stamp(at), "isTrading": True}
    return listed([{**own, **_figures(book, _ACCOUNTS)}])


def balance(book: Book, at: datetime) -> dict[str, Any]:
    """Answer `balance`: flat, without "res"."""
    return {**_figures(book, _BALANCE), "timestamp": stamp(at), "BaseCurrency": book.settings.currency}


def positions(book: Book, at: datetime) -> dict[str, Any]:
    """Answer `positions`, by symbol: in units and in lots."""
    rows = {
        name: {"LastTradeTime": stamp(at), "MarketValue": value, "Position": units, "netVolume": lots}
        for name, units, lots, value in held(book)
    }
    return {"count": len(rows), "res": rows}


def opened(book: Book) -> dict[str, Any]:
    """Answer `opened_trades`: all of them, whichever is asked for."""
    return listed([each.trade(book.price(each.instrument)) for each in book.opened])


def pending(book: Book) -> dict[str, Any]:
    """Answer `pending_trades`."""
    return listed([each.pending() for each in book.waiting])


def transactions(book: Book, order_ref: str) -> dict[str, Any]:
    """Answer `strategy_trade`: all, or those of a reference."""
    return listed([dict(each.shown()) for each in book.done if order_ref in ("", each.order_ref)])


def order(book: Book, trade_id: str) -> dict[str, Any]:
    """Answer `query_order`; raise `Refusal`."""
    if trade_id not in book.entries:
        raise Refusal(f"no such order: {trade_id}")
    return book.entries[trade_id].query()


def _figures(book: Book, names: Mapping[str, str]) -> dict[str, float]:
    money = book.money()
    return {key: money[name] for key, name in names.items()}
