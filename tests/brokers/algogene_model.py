"""The sandbox's book as a venue that is polled: each list at a time of its own, things happening in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tape import OPEN
from tape import Tape as Source

from brokers.algogene import sandbox_records as records
from brokers.algogene.advancing import advance, questions
from brokers.algogene.diff import diff
from brokers.algogene.following import Following, Kind, Part, Poll, Questions
from brokers.algogene.reports import read_deal, read_pending, read_query, read_trade
from brokers.algogene.sandbox_book import Book
from brokers.algogene.sandbox_requests import Refusal
from brokers.algogene.settings import Settings
from framework.model import OrderUpdate, Side
from framework.sandbox.tape import Instant, Tape

PRICES = (100.0, 102.0, 98.0, 101.0, 99.0, 103.0, 97.0, 100.0, 100.5, 99.5, 104.0, 96.0)


class Venue:
    """A book that is moved on by steps, and what a poller knows of it."""

    def __init__(self, partial: float = 0.0, seed: int = 0, prices: Sequence[float] = PRICES) -> None:
        bars = [(price, price + 1, price - 1, price) for price in (prices[0], *prices)]
        self.tape = Tape(Source({"XYZ": bars}, start=OPEN, opens=OPEN - timedelta(minutes=1)))
        self.book = Book(self.tape, Settings(partial=partial, cash=1e9), seed)
        self.at = self.tape.starts_at
        self.followed: dict[str, Following] = {}
        self.told: list[OrderUpdate] = []
        self._asked = Questions()
        self._opens: dict[str, str] = {}

    def step(self) -> None:
        """Play the next instant."""
        instant: Instant | None = self.tape.after(self.at)
        if instant is not None:
            self.at = instant.at
            self.book.play(instant)

    def open(self, name: str, buysell: str = "BUY", volume: float = 4, **more: Any) -> str:
        """Send an order, and follow it and its levels; return its id."""
        body = {"instrument": "XYZ", "buysell": buysell, "volume": volume, "orderRef": name, "ordertype": "MKT", **more}
        entry = self.book.open(body, self.at)
        side = Side.BUY if buysell == "BUY" else Side.SELL
        whole = Part(entry.id, Kind.OPEN, Decimal(str(volume)), side)
        self.followed[name] = Following(name, (whole,), expires_at=entry.expires_at)
        for kind, level in ((Kind.TAKE_PROFIT, entry.take_profit), (Kind.STOP_LOSS, entry.stop_loss)):
            if level is not None:
                exit_ = replace(whole, kind=kind, level=level)
                self.followed[f"{name}/{kind.value}"] = Following(f"{name}/{kind.value}", (exit_,))
        return entry.id

    def close(self, name: str, trade_id: str) -> None:
        """Close a trade whole, and follow that."""
        entry = self.book.entries[trade_id]
        try:
            self.book.close(trade_id, self.at)
        except Refusal:
            return
        part = Part(trade_id, Kind.CLOSE, Decimal(str(entry.held)), entry.side)
        self.followed.setdefault(name, Following(name, (part,)))

    def cancel(self, trade_id: str) -> None:
        if self.book.entries[trade_id].is_waiting:
            self.book.cancel(trade_id, self.at)

    def poll(self, between: Sequence[Callable[[], None]] = ()) -> list[OrderUpdate]:
        """Ask as `questions` says, with something happening between each two answers; return the news."""
        happen = iter(between)

        def then() -> None:
            next(happen, lambda: None)()

        queries = {each: read_query(records.order(self.book, each)) for each in self._asked.queries}
        then()
        pending = {each.trade_id: each for each in map(read_pending, records.pending(self.book)["res"])}
        then()
        opened = {each.trade_id: each for each in map(read_trade, records.opened(self.book)["res"])}
        then()
        deals = tuple(map(read_deal, records.transactions(self.book, "")["res"])) if self._asked.deals else None
        poll = Poll(self.at, queries, pending, opened, deals)
        after = advance(self.followed, poll)
        news = diff(self.followed, after, poll.at)
        self.followed, self._asked = after, questions(after, poll)
        self.told += news
        return news

    def settle(self) -> None:
        """Poll until nothing more comes of it."""
        for _ in range(4):
            self.poll()

    def story(self, name: str) -> list[str]:
        """Return what was told of an order, in short."""
        mine = [each for each in self.told if each.client_order_id == name]
        return [
            f"{each.status.value}{f' {each.fill.quantity:g}@{each.fill.price:g}' if each.fill else ''}" for each in mine
        ]
