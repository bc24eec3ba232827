"""How long a live feed of ALGOGENE's waits for what. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from feeds import waits


@dataclass(frozen=True, slots=True)
class Waits(waits.Waits):
    """How long to wait, in seconds of I/O time; `age` and `frozen` are venue time."""

    grace: float = 1.0
    """After the end of a minute, for its last quotes."""
    age: timedelta = timedelta(seconds=90)
    """A quote that is older than this when it comes is none."""
    frozen: timedelta = timedelta(seconds=60)
    """A quote that comes again, and is older than this, stands still."""


USUAL = Waits()
