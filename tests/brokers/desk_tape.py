"""A market whose prices a test writes down, a minute each, and a trader in it after the first of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from asked import order
from desk_session import Trader
from tape import OPEN, Prices, Tape

from brokers.alpaca.settings import Settings
from framework.app.sandbox import Sandbox
from framework.model import OrderRequest

CLOSE = OPEN + timedelta(hours=6, minutes=30)


def spy(name: str = "run-1-1", side: str = "buy", quantity: float | None = 10, **more: Any) -> OrderRequest:
    return order(name, side, quantity, **{"symbol": "SPY", **more})


def bracket(loss: float = 95.0, profit: float = 110.0, **entry: Any) -> tuple[OrderRequest, ...]:
    """Return Backtrader's own bracket: entry, stop, limit."""
    return (
        spy("run-1-1", **entry),
        spy("run-1-2", "sell", stop_price=loss),
        spy("run-1-3", "sell", limit_price=profit),
    )


@contextmanager
def market(*prices: Any, symbol: str = "SPY", opens: Any = OPEN, **settings: Any) -> Iterator[Sandbox]:
    """Play these prices; the first is over, so that the venue knows what the symbol costs."""
    calendar = "24/7" if "/" in symbol else "XNYS"
    played: Prices = list(prices)
    source = Tape({symbol: played}, opens=opens, calendar=calendar)
    # Its headers tell a budget of a minute of the world's time, and a storm may need more.
    with Sandbox(source, settings=Settings(**settings), limit=100_000) as sandbox:
        sandbox.step()
        yield sandbox


@contextmanager
def trading(*prices: Any, **more: Any) -> Iterator[Trader]:
    """Trade in such a market."""
    with market(*prices, **more) as sandbox, Trader(sandbox) as trader:
        yield trader.listen()
