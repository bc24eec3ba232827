"""How long a live feed of ALGOGENE's waits for what. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from framework.live.stream import Pace
from framework.retries import Patience


@dataclass(frozen=True, slots=True)
class Waits:
    """How long to wait, in seconds of I/O time; `age` and `frozen` are venue time."""

    pace: Pace = field(default_factory=Pace)
    retries: Patience = field(default_factory=Patience)
    """The pauses between requests that fail."""
    answer: float = 30.0
    """For history, at most: then what is held goes on without it, and it is asked again."""
    grace: float = 1.0
    """After the end of a minute, for its last quotes."""
    late: float = 2.0
    """For a minute's bar, at most: what is later shows that this machine's clock is ahead."""
    look: float = 0.25
    """Between two looks at minutes that may be over, and at a clock that only moves when it is told."""
    sleep: float = 30.0
    """At most, without a look at what is missing."""
    record: float = 60.0
    """Between two entries of a day in the journal."""
    age: timedelta = timedelta(seconds=90)
    """A quote that is older than this when it comes is none."""
    frozen: timedelta = timedelta(seconds=60)
    """A quote that comes again, and is older than this, stands still."""


USUAL = Waits()
