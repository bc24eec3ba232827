"""Whole sessions on the sandbox's ALGOGENE, in lock-step over loopback, and the same script as a backtest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import backtrader as bt
from tape import OPEN, Tape

from brokers import AlgogeneVenue
from brokers.algogene.line import Habits
from brokers.algogene.sandbox_book import Book
from brokers.algogene.settings import Settings
from brokers.algogene.trading import AlgogeneDesk
from feeds import AlgogeneBars
from framework import Live, run
from framework.app.sandbox import Sandbox
from framework.ports import Emit, Session
from framework.retries import Patience

SYMBOL = "BTCUSD"
PRICES = (100.0, 101.0, 102.0, 103.0, 104.0, 105.0, 106.0, 107.0, 108.0, 109.0)
SESSION = "algo"

Step = Callable[[Any], Any]


class Scripted(bt.Strategy):
    """Does what `script` says at each `next`, by its number from 1; notes what it hears, and what it held then."""

    params = (("script", None),)

    def __init__(self) -> None:
        self.count, self.orders = 0, {}
        self.heard: list[tuple[str, str]] = []
        self.reasons: list[str] = []
        self.said: list[str] = []
        self.held: list[float] = []

    def next(self) -> None:
        self.count += 1
        self.held.append(self.position.size)
        if step := (self.p.script or {}).get(self.count):
            self.keep(step(self))

    def keep(self, made: Any) -> None:
        """Name the orders that a step has made "a", "b" and so on."""
        for order in made if isinstance(made, list) else [made]:
            if isinstance(order, bt.Order):
                self.orders[chr(ord("a") + len(self.orders))] = order

    def name(self, order: Any) -> str:
        return next((name for name, each in self.orders.items() if each.ref == order.ref), "?")

    def notify_order(self, order: Any) -> None:
        self.heard.append((self.name(order), order.getstatusname()))
        self.reasons += [order.info.reason] if order.info.get("reason") else []

    def notify_store(self, message: str, *_: Any) -> None:
        self.said.append(message)

    def story(self, name: str) -> list[str]:
        """Return an order's statuses."""
        return [status for each, status in self.heard if each == name]


class QuickVenue(AlgogeneVenue):
    """A venue on this machine, of which an answer is expected at once."""

    def open(self, session: Session, emit: Emit, habits: Habits | None = None) -> AlgogeneDesk:
        quick = Habits(back_off=Patience(first_wait=0.001, longest_wait=0.02), grace=0.05)
        return super().open(session, emit, habits or quick)


def tape(prices: Sequence[Any] = PRICES) -> Tape:
    return Tape({SYMBOL: prices}, opens=OPEN, calendar="24/7")


@contextmanager
def served(prices: Sequence[Any] = PRICES, **options: Any) -> Iterator[Sandbox]:
    with Sandbox(tape(prices), algogene=options.pop("settings", Settings()), **options) as sandbox:
        yield sandbox


def book(sandbox: Sandbox) -> Book:
    """Return the venue's own book."""
    found: Book = sandbox.market._listeners["algogene"].book
    return found


def net(sandbox: Sandbox) -> float:
    """Return the venue's net position, in units."""
    return sum(each.held * each.side.sign for each in book(sandbox).opened)


def lived(sandbox: Sandbox, script: Mapping[int, Step], *, reopens: bool = False, **options: Any) -> Any:
    """Run a script live; return its result."""
    live = options.pop("live", Live(session=SESSION, durable="OFF"))
    venue = QuickVenue(**sandbox.algogene, reopens=reopens)
    source = AlgogeneBars([SYMBOL], **sandbox.algogene)
    return run(
        options.pop("strategy", Scripted), source=source, venue=venue, live=live, warmup=0, script=script, **options
    )


def backtested(script: Mapping[int, Step], prices: Sequence[Any] = PRICES) -> Any:
    """Run a script as a backtest."""
    return run(Scripted, source=tape(prices), venue=AlgogeneVenue(), warmup=0, script=script)


def rows(result: Any) -> list[tuple[Any, ...]]:
    """Return a result's fills: when, which way, how much, at what."""
    found = result.fills
    return list(zip(found["time"], found["side"], found["size"], found["price"], strict=True))


def stop(strategy: Scripted) -> None:
    strategy.env.runstop()
