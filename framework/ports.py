"""The ports: what a feed and a venue must be able to do.

A backtest asks a `Source` for `history()` and a `Venue` for its `rules`: neither needs keys or a
network for that (but to fetch what is not cached yet). A live session asks more of both:
`LiveSource` and `LiveVenue`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar, runtime_checkable

from framework.calendar import Calendar
from framework.columns import Columns
from framework.model import (
    Bar,
    Halt,
    Link,
    OrderGroup,
    OrderRequest,
    OrderUpdate,
    Quote,
    Remark,
    Revision,
    Signals,
    Snapshot,
    Split,
    Timeframe,
    Trade,
    nothing,
)
from framework.quoting import Beats, Quotes
from framework.wire import Exchange

T = TypeVar("T")

Warmup = int | timedelta
"""How much history before a source's start: a number of bars, or a span of time."""

News = Bar | Quote | Trade | Signals | Revision | Halt | Split | OrderUpdate | Link | Remark
"""What an adapter tells."""

Emit = Callable[[News], None]
"""How an adapter hands on what it received, in order; called in the I/O thread, it never blocks."""


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


@runtime_checkable
class QuoteSource(Source, Protocol):
    """Where quotes come from, in place of bars: what a run sees of them is what stands at the instants of `beats`.

    Its `timeframe` is the time between two of these, in seconds; its `history` the middle between bid and ask.
    """

    @property
    def beats(self) -> Beats: ...

    def quoted(self) -> Mapping[str, Quotes]:
        """Return each symbol's quotes with `start` < at <= `end`; raise as `history` does."""


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


class Recorded(Protocol):
    """A record of the journal, as it is read."""

    @property
    def at(self) -> datetime: ...

    @property
    def key(self) -> str: ...

    @property
    def body(self) -> Mapping[str, Any]: ...


class Journal(Protocol):
    """The session's append-only table (seq, at, kind, key, body)."""

    def append(self, kind: str, key: str, body: Mapping[str, Any]) -> int | None:
        """Write a record, now (and return its seq) or soon."""

    def entries(self, kind: str, key: str | None = None) -> Iterator[Recorded]:
        """Yield the records of a kind, and of a key where it is given, the oldest first, earlier runs' too."""

    def commit(self) -> None:
        """Return when all that was written is on the disk: before what must not be forgotten leaves."""


class Heard(Protocol):
    """What of each stream has been handed on, for a venue in lock-step that tells how much it has sent.

    A stream's name is the sandbox's: "trade_updates", "data", "crypto", "test".
    """

    def hear(self, stream: str, count: int = 1) -> None:
        """Note that so many messages of a stream have been read, and all that follows of them been emitted."""

    def caught_up(self, stream: str) -> None:
        """Note that what was sent while a stream was down has been made good in another way."""

    def before_step(self, work: Callable[[], Awaitable[None]]) -> None:
        """Have something awaited before each step of a venue in lock-step: whatever is due by the clock then."""

    def after_step(self, work: Callable[[], Awaitable[None]]) -> None:
        """Have something awaited after each step, when all that it sent has been read, before that is handed on.

        For what no message tells: a venue that has to be asked, a bar that is over because its time is.
        """


@dataclass(frozen=True, slots=True)
class Added:
    """A symbol that was added to a session that runs: its bars up to `at`; those that end later are emitted."""

    symbol: str
    timeframe: Timeframe
    calendar: Calendar
    bars: Columns
    at: datetime


Add = Callable[[str], Awaitable[Added | None]]
"""Follows one more symbol, and returns what is known of it; None where it is not this source's kind. Once for each.

Raise `VenueError` or `ConfigError` where it cannot be followed.
"""


class Additions(Protocol):
    """How symbols are added to a session that runs: sources offer it, the session asks."""

    def offer(self, add: Add) -> None:
        """Say how a symbol is added to what a source listens to; called by its `listen`, before it emits a `Link`."""


class Unasked:
    """Additions that nobody asks for."""

    def offer(self, add: Add) -> None:
        """Leave it at that."""


@dataclass(frozen=True, slots=True)
class Session:
    """What the adapters of a live session share. `name` is the session's, for messages."""

    name: str
    clock: Clock
    http: AsyncHttp
    journal: Journal
    heard: Heard
    additions: Additions = field(default_factory=Unasked)


@runtime_checkable
class LiveSource(Source, Protocol):
    """A source that also goes on. Its `start` and `end` are a backtest's and count for nothing live."""

    @property
    def base_url(self) -> str:
        """Where it is reached; a sandbox's URL tells the session to keep the sandbox's time."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be written down. Raise `ConfigError` where the credentials it needs are missing."""

    def before(self, at: datetime, warmup: Warmup) -> Mapping[str, Columns]:
        """Return each symbol's last bars that had ended by `at`: a number of them, or a span of time.

        A symbol without any has no bars in it. Blocks; raise as `history` does.
        """

    async def listen(self, session: Session, emit: Emit, since: Mapping[str, datetime]) -> None:
        """Emit every bar that ends after `since` (by symbol), each symbol's in order, until cancelled.

        What is missing, at the start, after a lost connection or in between, is fetched and emitted in its
        place. A `Link` tells each change; the one that comes up follows what was missed. Raise `VenueError`
        for what waiting cannot cure.
        """


@runtime_checkable
class SignalSource(Protocol):
    """Where signals come from, beside the bars. One source carries many algorithms."""

    @property
    def publisher(self) -> str:
        """Who publishes them, for the names of feeds: "AlphaHub"."""

    @property
    def algorithms(self) -> tuple[str, ...]: ...

    def history(self, after: datetime | None = None, until: datetime | None = None) -> Sequence[Signals]:
        """Return what was received with `after` < at <= `until`, all algorithms', in the order of receipt.

        Raise `ConfigError` where there is no history, `VenueError` where the other side fails.
        """


@runtime_checkable
class LiveSignalSource(SignalSource, Protocol):
    """Signals that also go on."""

    @property
    def base_url(self) -> str:
        """Where they come from; a sandbox's URL belongs to that sandbox's venue."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be written down. Raise `ConfigError` where the credentials it needs are missing."""

    async def listen(self, session: Session, emit: Emit) -> None:
        """Emit every `Signals` once, each algorithm's in order, until cancelled.

        It is in the journal before it is emitted; that it was acted on is written by who acts on it (a record
        `TOLD` of its name): what was not is emitted again by the next run. A `Link` tells each change. Raise
        `VenueError` for what waiting cannot cure.
        """


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
        an exit that waits for its entry: what it closes is not there yet.
        """

    def is_for_the_day(self, request: OrderRequest) -> bool:
        """Return whether the venue takes this order for the day only, however long it is to last."""

    def objection(
        self, request: OrderRequest, *, position: float, price: float, grouped: bool, resting: Sequence[Resting]
    ) -> str:
        """Return why this order would be refused as the market stands and beside the open orders, or an empty string.

        A backtest asks this; live the venue knows both better than we do. `resting` are the symbol's open orders
        (of a pair of exits one), `grouped` whether this one belongs to a bracket, an OCO or an OTO.
        """


@dataclass(frozen=True, slots=True)
class Resting:
    """What is left of an open order, and whether it belongs to a bracket, an OCO or an OTO."""

    request: OrderRequest
    grouped: bool


@runtime_checkable
class Venue(Protocol):
    """Where orders go."""

    @property
    def rules(self) -> Rules: ...


@runtime_checkable
class LiveVenue(Venue, Protocol):
    """A venue that can be traded on."""

    @property
    def base_url(self) -> str:
        """Where it is reached; a sandbox's URL tells the session to keep the sandbox's time."""

    @property
    def is_real(self) -> bool:
        """Whether real money is at stake."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be written down. Raise `ConfigError` where the credentials it needs are missing."""

    def open(self, session: Session, emit: Emit) -> Desk:
        """Return a session's way to trade; nothing is sent yet."""


class Desk(Protocol):
    """One session's orders at a venue. All that becomes of them goes to `emit`, whichever way it was learned.

    Each order's news come in their order, each once, fills as increments. Owned by the I/O thread.
    `takes_together` says whether orders that only open a position in one symbol may be sent side by side.
    """

    takes_together: bool

    async def snapshot(self) -> Snapshot:
        """Return the account as it is. Raise `VenueError`."""

    async def splits(self, since: datetime) -> Sequence[Split]:
        """Return the splits of shares that the account held, from the day of a time on, the oldest first.

        A split has the same name each time; its ratio is that of the account's own shares, so that what became of
        fractions is in it. What is held back here for its symbol is withdrawn when a split is first seen: its
        prices are gone. Raise `VenueError`.
        """

    def resume(self, groups: Sequence[Resumed]) -> None:
        """Know the orders that an earlier run left open, before `listen`, which finds out what became of them."""

    async def listen(self) -> None:
        """Follow the orders until cancelled, and do what was left to us: ends, late sends, our own brackets.

        A `Link` tells each change; the one that comes up follows the news that were missed. Raise `VenueError`
        for what waiting cannot cure.
        """

    async def submit(self, group: OrderGroup) -> None:
        """Send a group, whose intent is in the journal; it returns when it is known what became of it.

        A refusal is an update (REJECTED, reason). What is unknown is looked up by its id, for as long as it takes.
        """

    async def cancel(self, client_order_id: str) -> None:
        """Ask for an order's end; its update tells when it has come."""

    async def replace(self, client_order_id: str, request: OrderRequest) -> None:
        """Put a new order, under `request`'s new id, in the place of one; it stays the same order for its owner.

        Where that cannot be, a `Remark` says why and the order stays as it is.
        """

    def price(self, news: Bar | Trade) -> None:
        """Take a symbol's prices: for orders that follow the price here, because the venue does not.

        They are told before the bar or the trade goes to the engine.
        """

    async def catch_up(self) -> None:
        """Do whatever is due by the clock, and return when it is done: asked for before a clock that is told moves."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """A group of an earlier run; `booked` is the size and the value of the fills known of each order.

    `at` is when it was sent; `ended` are those of its orders that had ended; `changed` are those that were
    replaced, as they were asked to be.
    """

    group: OrderGroup
    at: datetime
    booked: Mapping[str, tuple[float, float]]
    ended: frozenset[str] = frozenset()
    changed: Mapping[str, OrderRequest] = field(default_factory=nothing)
