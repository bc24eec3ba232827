"""How long a live feed of Alpaca's waits for what. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from feeds import waits
from feeds.alpaca.quiet import Patience


@dataclass(frozen=True, slots=True)
class Waits(waits.Waits):
    """How long to wait, in seconds of I/O time."""

    patience: Patience = field(default_factory=Patience)
    mute: float = 5.0
    """After the stream's last bar, before missing ones show that it is mute: venue time may run fast."""
    added: float = 3.0
    """For the history of a symbol that is added, all tries together: a strategy waits for it."""
    joined: float = 5.0
    """For the stream to answer for it: then its bars come from history until it does."""


USUAL = Waits()
