"""What may be said about how a live session is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from framework.live.limits import Limits
from framework.live.slices import GRACE
from framework.live.status import Status

HELD: Literal["held"] = "held"
"""For `Live.adopt`: every position in the session's symbols."""


@dataclass(frozen=True, slots=True)
class Live:
    """How a session is run; all of it may be left as it is.

    session: its name, under which it goes on after a stop or a crash; None for one of its own.
    adopt: symbols whose position in the account becomes the session's; "held" are all of its symbols that are held.
    real_money: the number of the account, typed: what a venue with real money asks for.
    grace: seconds that an instant waits for the bars of its other symbols.
    durable: when a record is on the disk; see `framework.live.journal.SqliteJournal`.
    requests: how many requests a minute the account may make.
    limits: what the session may not go beyond.
    until: "close" ends the session with the trading day; None lets it run until it is stopped.
    trade_log: a CSV file with a row for each fill; True puts it beside the journal.
    watch: called with the session's `Status` about once a second, in a thread of its own; for a display.
    """

    session: str | None = None
    adopt: tuple[str, ...] | Literal["held"] = ()
    real_money: str | None = None
    grace: float = GRACE
    durable: Literal["FULL", "NORMAL", "OFF"] = "FULL"
    requests: int = 200
    limits: Limits = Limits()  # noqa: RUF009  (it is frozen)
    until: Literal["close"] | None = None
    trade_log: bool | str | Path = False
    watch: Callable[[Status], None] | None = None
