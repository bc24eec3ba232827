"""The ports: what a feed and a venue must be able to do.

A backtest asks a `Source` for `history()` and a `Venue` for its `rules`: neither needs keys or a
network for that (but to fetch what is not cached yet). A live session asks more of both:
`LiveSource` and `LiveVenue`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar, runtime_checkable

from framework.calendar import Calendar
from framework.columns import Columns
from framework.model import (
    Bar,
    OrderGroup,
    OrderRequest,
    OrderUpdate,
    Quote,
    Signal,
    Snapshot,
    Timeframe,
)  # fmt: skip
from framework.wire import Exchange

T = TypeVar("T")

Warmup = int | timedelta
"""How much history before a source's start: a number of bars, or a span of time."""

Emit = Callable[[Bar | Quote | Signal | OrderUpdate], None]
"""How an adapter hands on what it received; called in the I/O thread, it never blocks."""


@runtime_checkable
class Source(Protocol):
    """Where bars come from. One source carries many symbols."""

    @property
    def symbols(self) -> tuple[str, ...]: ...

    @property
    def timeframe(self) -> Timeframe: ...

    @property
    def calendar(self) -> Calendar: ...

    @property
    def start(self) -> datetime | None:
        """The instant at which the run begins (aware); what is before it is warm-up. None: all there is."""

    @property
    def end(self) -> datetime | None:
        """The instant at which the history ends (aware). None: with its last bar."""

    def history(self, warmup: Warmup = 0) -> Mapping[str, Columns]:
        """Return each symbol's bars, preceded by `warmup` earlier bars where the source has them.

        The mapping has exactly `symbols` as its keys, in that order. Raise `ConfigError` where a
        symbol is unknown or nothing is found, `VenueError` where the other side fails.
        """


class Clock(Protocol):
    """The only clock that a live session reads."""

    def now(self) -> datetime:
        """Venue time, aware UTC: bars, sessions, `valid`, timers, staleness."""

    def monotonic(self) -> float:
        """I/O time in seconds: back-off, heartbeats, tokens, rate windows. Never accelerated."""

    async def sleep(self, seconds: float) -> None:
        """Wait in I/O time."""

    def seconds_until(self, at: datetime) -> float | None:
        """Return the I/O seconds until venue time is `at`, 0 where it is past; None where only being told moves it."""


class AsyncHttp(Protocol):
    """The I/O thread's way to drive an exchange; it holds the account's request budget."""

    async def send(self, exchange: Exchange[T]) -> T: ...


class Journal(Protocol):
    """The session's append-only table (seq, at, kind, key, body)."""

    def append(self, kind: str, key: str, body: Mapping[str, Any]) -> int: ...


@dataclass(frozen=True, slots=True)
class Session:
    """What both adapters of a live session share."""

    clock: Clock
    http: AsyncHttp
    journal: Journal


@runtime_checkable
class LiveSource(Source, Protocol):
    """A source that also goes on."""

    async def listen(self, session: Session, emit: Emit) -> None: ...


class Rules(Protocol):
    """What a venue does to an order before it takes it; all that a backtest needs of a venue."""

    @property
    def venue(self) -> str:
        """The venue's name, for messages."""

    def tick(self, symbol: str, price: float) -> float:
        """Return the smallest price step at that price."""

    def lot(self, symbol: str) -> float:
        """Return the smallest quantity step."""

    def refusal(self, request: OrderRequest, *, position: float, price: float, grouped: bool) -> str:
        """Return why this order would be refused, or an empty string.

        `position` is the signed quantity held, `price` the last price, `grouped` whether the order is
        part of a bracket, an OCO or an OTO.
        """


@runtime_checkable
class Venue(Protocol):
    """Where orders go."""

    @property
    def rules(self) -> Rules: ...


@runtime_checkable
class LiveVenue(Venue, Protocol):
    """A venue that can be traded on."""

    async def snapshot(self, session: Session) -> Snapshot: ...

    async def submit(self, session: Session, group: OrderGroup) -> list[OrderUpdate]: ...

    async def cancel(self, session: Session, client_order_id: str) -> None: ...

    async def replace(self, session: Session, client_order_id: str, request: OrderRequest) -> OrderUpdate: ...

    async def find(self, session: Session, client_order_id: str) -> OrderUpdate | None: ...

    async def listen(self, session: Session, emit: Emit) -> None: ...
