"""How long any live feed of bars waits for what. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from framework.live.stream import Pace
from framework.retries import Patience


@dataclass(frozen=True, slots=True)
class Waits:
    """How long to wait, in seconds of I/O time."""

    pace: Pace = field(default_factory=Pace)
    retries: Patience = field(default_factory=Patience)
    """The pauses between requests that fail."""
    answer: float = 30.0
    """For history, at most: then what is held goes on without it, and it is asked again."""
    late: float = 2.0
    """For a minute's bar, at most: what is later shows that this machine's clock is ahead."""
    look: float = 0.25
    """Between two looks at a clock that only moves when it is told, and at minutes that may be over."""
    sleep: float = 30.0
    """At most, without a look at the clock: a machine may have been asleep."""
    record: float = 60.0
    """Between two entries of a day in the journal."""
