"""How long a live feed waits for what. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from feeds.alpaca.quiet import Patience
from framework.live.stream import Pace
from framework.retries import Patience as Retries


@dataclass(frozen=True, slots=True)
class Waits:
    """How long to wait, in seconds of I/O time."""

    pace: Pace = field(default_factory=Pace)
    patience: Patience = field(default_factory=Patience)
    retries: Retries = field(default_factory=Retries)
    """The pauses between requests that fail."""
    answer: float = 30.0
    """For history, at most: then what is held goes on without it, and it is asked again."""
    look: float = 0.25
    """Between two looks at a clock that only moves when it is told."""
    sleep: float = 30.0
    """At most, without a look at the clock: a machine may have been asleep."""
    late: float = 2.0
    """For a minute's bar, at most: what is later shows that this machine's clock is ahead."""
    record: float = 60.0
    """Between two entries of a day in the journal."""
    mute: float = 5.0
    """After the stream's last bar, before missing ones show that it is mute: venue time may run fast."""
    added: float = 3.0
    """For the history of a symbol that is added, all tries together: a strategy waits for it."""
    joined: float = 5.0
    """For the stream to answer for it: then its bars come from history until it does."""


USUAL = Waits()
