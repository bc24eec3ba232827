"""What goes over the bridge beside news: what the engine asks for, and the instants it is given. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from framework.model import Bar, OrderGroup, OrderRequest, OrderUpdate, QuoteBar, Signals


@dataclass(frozen=True, slots=True)
class Submit:
    """Send this group; its intent is in the journal."""

    group: OrderGroup


@dataclass(frozen=True, slots=True)
class Cancel:
    """Ask for an order's end."""

    client_order_id: str


@dataclass(frozen=True, slots=True)
class Replace:
    """Put an order in the place of another."""

    client_order_id: str
    request: OrderRequest


@dataclass(frozen=True, slots=True)
class Idle:
    """The engine has dealt with so many news, and waits."""

    taken: int


@dataclass(frozen=True, slots=True)
class Look:
    """Tell how the account is now."""


@dataclass(frozen=True, slots=True)
class AskSplits:
    """Ask for splits before the account is looked at again: it holds less than the ledger."""


Command = Submit | Cancel | Replace | Idle | Look | AskSplits


@dataclass(frozen=True, slots=True)
class Instant:
    """What makes one `next`: the bars that end at one instant, or the signals that were received at it.

    In lock-step both, and the orders' news since the last one. `is_late` where these bars came after the instant's
    slice had gone. `quotes` is what stands at an instant of the session's clock, None at every other.
    """

    at: datetime
    bars: tuple[Bar, ...]
    updates: tuple[OrderUpdate, ...] = ()
    is_late: bool = False
    signals: tuple[Signals, ...] = ()
    quotes: tuple[QuoteBar, ...] | None = None


@dataclass(frozen=True, slots=True)
class End:
    """There will be no more: the tape of a sandbox is over."""


@dataclass(frozen=True, slots=True)
class Leave:
    """The session is to end: what opens positions is cancelled, what protects them stays."""

    why: str
