"""A small venue for the tests: hand-written bars, and Alpaca's book over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tape import OPEN, Prices
from tape import Tape as Source

from brokers.alpaca.book import Book
from brokers.alpaca.refusals import Refusal
from brokers.alpaca.settings import Settings
from framework.sandbox.tape import Detail, Instant, Tape


class Venue:
    """A book and the tape it stands on; `orders` are sent at the instant that was played last."""

    def __init__(
        self,
        *prices: float | tuple[float, float, float, float] | None,
        settings: Settings | None = None,
        **more: Prices,
    ) -> None:
        source = Source({"XYZ": prices or (100.0,) * 20, **more}, start=OPEN.replace(minute=31))
        self.tape = Tape(source, detail=Detail.BAR)
        self.book = Book(self.tape, settings)
        self.now = self.tape.starts_at

    def play(self, count: int = 1) -> Instant | None:
        """Play some instants; return the last."""
        instant = None
        for _ in range(count):
            instant = self.tape.after(self.now)
            if instant is None:
                return None
            self.book.play(instant)
            self.now = instant.at
        return instant

    def send(self, side: str = "buy", qty: float | str | None = 10, **more: Any) -> dict[str, Any]:
        """Send an order: a market order for the day, unless told otherwise."""
        body = {"symbol": "XYZ", "side": side, "type": "market", "time_in_force": "day", "qty": qty, **more}
        return self.book.submit(body, self.now)

    def status(self, order: dict[str, Any]) -> str:
        return self.book.entries[order["id"]].status

    def told(self) -> list[tuple[str, str]]:
        """Return the updates since the last time: (event, type of the order)."""
        updates, self.book.updates = self.book.updates, []
        return [(each.event, str(each.order["type"])) for each in updates]

    def refused(self, *arguments: Any, **more: Any) -> Refusal:
        """Send an order that is to be refused."""
        with pytest.raises(Refusal) as caught:
            self.send(*arguments, **more)
        return caught.value


def limits(price: float, **more: Any) -> dict[str, Any]:
    return {"type": "limit", "limit_price": str(price), **more}


def bracket(profit: float, loss: float, kind: str = "bracket", **more: Any) -> dict[str, Any]:
    return {
        "order_class": kind,
        "take_profit": {"limit_price": str(profit)},
        "stop_loss": {"stop_price": str(loss)},
        **more,
    }


def bars(*rows: Sequence[float]) -> list[tuple[float, float, float, float]]:
    return [tuple(row) for row in rows]  # type: ignore[misc]
