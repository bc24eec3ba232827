"""What an operator sees of a session at one moment: frozen values, to JSON and back. Pure.

Amounts are in the account's currency, times are aware UTC by the session's clock (a sandbox's own, where it
trades on one). In JSON a time is ISO text, a missing figure null, and everything else what it is here.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from framework.errors import ConfigError

VERSION = 1

STARTING, WARMING_UP, RUNNING, HALTED, CLOSING, OVER = (
    "starting", "warming up", "running", "halted", "closing", "over",
)  # fmt: skip
"""What a session may be doing; `Status.reason` says why, where there is a why."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What is held of a symbol; short, its quantity and value are negative.

    `unrealised` is what the price has made of it since, `return_` that as a fraction of what was paid. `realised`
    is what the session has made by closing, before commission. None is what no bar has given a price for yet.
    """

    symbol: str
    quantity: float
    average_price: float
    last_price: float | None = None
    value: float | None = None
    unrealised: float | None = None
    return_: float | None = None
    realised: float = 0.0


@dataclass(frozen=True, slots=True)
class Working:
    """An open order: its name within the session (#2-17), what was asked for in words, what became of it so far."""

    name: str
    client_order_id: str
    symbol: str
    asked: str
    status: str
    filled: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Execution:
    """A fill and what it did: what is held after it, what it realised, and the session's realised profit so far.

    `quantity` is positive, `side` "buy" or "sell"; `value` is quantity times price. `realised` is before commission.
    """

    at: datetime
    symbol: str
    side: str
    quantity: float
    price: float
    value: float
    commission: float
    client_order_id: str
    execution_id: str
    position: float
    realised: float
    cumulative: float


@dataclass(frozen=True, slots=True)
class Connection:
    """One of the session's streams, since when it is up or down, and why."""

    stream: str
    is_up: bool
    since: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Requests:
    """The request budget: how many of `limit` a minute are used, and how many requests wait for their turn."""

    used: int
    limit: int
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """One line of the session's story."""

    at: datetime
    subject: str
    text: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class LastBar:
    """When the last bar of a symbol ended."""

    symbol: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """A session as it is `at` an instant.

    session, run, strategy; account: its last four digits; money: sandbox, paper or real-money; zone: the exchange's.
    started: when this run began. state, reason: what it is doing, and why.
    cash, value: what the session has and is worth; day, total: what it made since its trading day and since the
    session began. fills, messages: the latest, newest first and oldest first.
    """

    session: str
    at: datetime
    run: int = 0
    strategy: str = ""
    account: str = ""
    money: str = ""
    currency: str = ""
    zone: str = "UTC"
    started: datetime | None = None
    state: str = STARTING
    reason: str = ""
    cash: float | None = None
    value: float | None = None
    day: float | None = None
    total: float | None = None
    holdings: tuple[Holding, ...] = ()
    orders: tuple[Working, ...] = ()
    fills: tuple[Execution, ...] = ()
    connections: tuple[Connection, ...] = ()
    requests: Requests | None = None
    messages: tuple[Message, ...] = ()
    bars: tuple[LastBar, ...] = ()

    def json(self) -> str:
        """Return the status as one JSON object in one line."""
        return json.dumps({"version": VERSION, **plain(self)}, ensure_ascii=False, allow_nan=False)

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the status that JSON holds; raise `ConfigError` where it is none, or one of a later version."""
        try:
            body = json.loads(text)
            if body["version"] != VERSION:
                raise ConfigError(f"it is a status of version {body['version']}, this is {VERSION}; update Switchback")
            return cls(**_fields(cls, body))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"it does not read as a session's status ({error})") from None

    @property
    def oldest_bar(self) -> LastBar | None:
        """The symbol whose last bar is the oldest."""
        return min(self.bars, key=lambda each: each.at, default=None)

    @property
    def unrealised(self) -> float:
        """What all that is held has made."""
        return sum(each.unrealised or 0.0 for each in self.holdings)

    @property
    def realised(self) -> float:
        """What the session has made by closing, before commission."""
        return sum(each.realised for each in self.holdings)

    @property
    def held(self) -> tuple[Holding, ...]:
        """The symbols that something is held of."""
        return tuple(each for each in self.holdings if each.quantity)


def known(figure: float) -> float | None:
    """Return a figure, None where it is no number."""
    return float(figure) if math.isfinite(figure) else None


def plain(value: Any) -> dict[str, Any]:
    """Return one of these values as what JSON has words for."""
    return {name.rstrip("_"): _plain(getattr(value, name)) for name in _NAMES[type(value)]}


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case tuple():
            return [plain(each) for each in value]
        case _ if type(value) in _NAMES:
            return plain(value)
    return value


def _fields(kind: type, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return those fields of a value that `body` has; what a later version adds is left out."""
    names = (each for each in _NAMES[kind] if each.rstrip("_") in body)
    return {name: _read(name, body[name.rstrip("_")]) for name in names}


def _read(name: str, value: Any) -> Any:
    if name in _TIMES and value is not None:
        return datetime.fromisoformat(value)
    if name == "requests" and value is not None:
        return Requests(**_fields(Requests, value))
    if name in _TUPLES:
        return tuple(_TUPLES[name](**_fields(_TUPLES[name], each)) for each in value)
    return value


_TIMES = frozenset({"at", "since", "started"})
_TUPLES: Mapping[str, Any] = {
    "holdings": Holding, "orders": Working, "fills": Execution, "connections": Connection, "messages": Message,
    "bars": LastBar,
}  # fmt: skip
_KINDS: Iterable[Any] = (Status, Requests, *_TUPLES.values())
_NAMES = {each: tuple(field.name for field in dataclasses.fields(each)) for each in _KINDS}
